"""Scores of music, the reward for notes in key, and a whole run on a file of tunes."""

from __future__ import annotations

import base64
import json

import pytest
import torch

from rollout import Sequences
from seqgan.cli.main import main
from seqgan.config import MusicCorpus
from seqgan.config.rewards import InKeyTerm
from seqgan.data.id_codec import IdCodec
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError
from seqgan.evaluation.domains import domain_scores
from seqgan.evaluation.scoring import Scorer
from seqgan.report.record import read_record
from seqgan.report.writing import _samples
from seqgan.rewards.build import build_reward
from seqgan.rewards.ingredients import Ingredients
from seqgan.runs.run_directory import RunDirectory

from ..data.test_music import abc_file
from ..tiny import TINY_WORK, without_report

pytest.importorskip("symusic", reason="needs the extra music")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return abc_file(tmp_path_factory.mktemp("music"))


@pytest.fixture(scope="module")
def data(source):
    return load_data(source, MusicCorpus(label=True, test_share=0.2), seed=1)


def written(data, texts, label=0) -> Sequences:
    """Sequences of these texts, all asked for with one label."""
    rows = [[*data.codec.encode(text), data.spec.eos_id] for text in texts]
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = torch.tensor(row)
    asked = {"label": torch.full((len(rows),), label)}
    return Sequences(tokens, torch.tensor([len(row) for row in rows]), None, asked)


TUNES = ["4/4 | C4 :12 D4 :12 | C4 :12 D4 :12 | E4 :48", "4/4 | G4 :24 C4 :24"]


def test_scores_by_hand(data):
    measures = domain_scores(data, Scorer(20, 0.95, 0), 12)
    found = {score.name: score.value for score in measures.scores(written(data, TUNES))}
    assert found["note-density"] == pytest.approx(7 / 4)  # over all bars
    assert found["bars"] == 2.0 and found["pitch-classes"] == 2.5
    assert found["bar-repetition"] == pytest.approx((1 / 3 + 0) / 2)
    assert found["scale-consistency"] == 1.0 and 0 < found["pitch-class-distance"] < 1
    silent = measures.scores(written(data, ["4/4 |"], data.conditions.labels.index("C major")))
    assert {score.name: score.value for score in silent}["key-accuracy"] == 0.0  # it has no key
    real = {
        score.name: score.value for score in domain_scores(data, Scorer(20, 0.95, 0), 12).real()
    }
    assert real["key-accuracy"] == 1.0 and real.keys() == found.keys()


def test_in_key(data):
    def reward(**settings):
        term = InKeyTerm(**settings)
        return build_reward([term], Ingredients(
            data.train, data.codec, 0, conditions=data.conditions
        ))  # fmt: skip

    labels = data.conditions.labels
    sharp = next(x for x in ("F#4", "F#5") if x in data.codec.vocabulary)
    tunes = [f"4/4 | {sharp} :12 C4 :12 D4 :24", "4/4 |"]
    asked = written(data, tunes, labels.index("C major"))
    assert reward()(asked).tolist() == pytest.approx([0.75, 0.0])
    assert reward(key="G major")(asked).tolist() == pytest.approx([1.0, 0.0])
    bare = Sequences(asked.tokens, asked.lengths)
    assert reward()(bare).tolist() == pytest.approx([1.0, 0.0])  # the scale that fits best
    with pytest.raises(ConfigError, match="'C mayor' is none of .*did you mean 'C major'"):
        reward(key="C mayor")
    plain = Ingredients(data.train, IdCodec(data.spec), 0)
    with pytest.raises(ConfigError, match="no music"):
        build_reward([InKeyTerm()], plain)


def test_a_run_on_tunes_shows_and_plays_them(source, tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    run = tmp_path / "run"
    flags = ["--data", source, "--corpus.label", "true", "--method", "rloo", "--rewards", "in_key"]
    assert main(["run", *flags, *TINY_WORK, "--output_dir", str(run)]) == 0
    assert "cannot be tracked" not in capsys.readouterr().out  # rolls are pictures in colours
    assert b"samples/finetuned" in next(run.glob("events.out.tfevents*")).read_bytes()
    results = json.loads((run / "results.json").read_text())
    names = {score["name"] for score in results["scores"]["mle"]}
    assert {"scale-consistency", "bar-repetition", "key-accuracy", "label-accuracy"} <= names
    for model in ("mle", "finetuned", "real"):
        assert (run / "samples" / f"{model}.mid").read_bytes()[:4] == b"MThd"
        assert (run / "samples" / f"{model}.png").read_bytes()[1:4] == b"PNG"
        assert results["distributions"]["note-density"][model]
    record = read_record(RunDirectory.open(run))
    assert [shown.sound for shown in _samples(record)] == [
        "data:audio/midi;base64," + base64.b64encode(record.sounds[name]).decode()
        for name in ("real", "mle", "finetuned")
    ]
    assert main(["explain", str(run), "--number", "1", "--rollouts", "1"]) == 0
    (found,) = json.loads((run / "explain" / "explain.json").read_text())["sequences"]
    assert found["kind"] == "reward" and len(found["shares"]) == len(found["tokens"])
    assert results["explained"]["kind"] == "reward"
    tune = tmp_path / "tune.mid"
    asked = ["--condition", "C major", "--number", "1", "--output", str(tune)]
    assert main(["sample", "--run", str(run), *asked]) == 0
    assert tune.read_bytes()[:4] == b"MThd"
