"""Scores of molecules, their codec, and their drawings in the report."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rollout import Sequences
from seqgan.config import EvaluateConfig, FileCorpus
from seqgan.data.codec import load_codec, save_codec
from seqgan.data.molecule_codec import MoleculeCodec, drawing
from seqgan.data.sources import load_data
from seqgan.evaluation.domains import domain_scores
from seqgan.evaluation.molecules import MoleculeTexts
from seqgan.evaluation.samples import file_scores
from seqgan.evaluation.scoring import Scorer
from seqgan.metrics.catalogue import CATALOGUE, MOLECULES, family
from seqgan.metrics.molecules import canonical, molecules
from seqgan.report.record import Record
from seqgan.report.writing import _samples

TRAINING = ["CCO", "c1ccccc1", "CCN", "CC"]
TEST = ["CCO", "Cc1ccccc1", "c1ccncc1"]
SAMPLES = ["OCC", "CCO", "C(", "Cc1ccccc1", "C1CC"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("molecules") / "a.smi"
    chains = ["C" * n + end for n in range(1, 16) for end in ("O", "N", "Cl", "c1ccccc1")]
    path.write_text("\n".join(chains))
    return load_data(str(path), FileCorpus(tokenizer="smiles", min_count=1), seed=0)


def test_the_codec_of_molecules_comes_back(data, tmp_path):
    assert isinstance(data.codec, MoleculeCodec) and data.codec.kind == "molecules"
    save_codec(data.codec, tmp_path)
    loaded = load_codec(tmp_path, data.spec)
    assert isinstance(loaded, MoleculeCodec)
    assert loaded.texts(data.train) == data.codec.texts(data.train)


def test_scores_by_hand():
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    scores = MoleculeTexts(TRAINING, TEST, Scorer(50, 0.95, 0)).scores(SAMPLES)
    found = {score.name: score for score in scores}
    value = {name: score.value for name, score in found.items()}
    assert value["validity"] == pytest.approx(3 / 5)
    assert value["unique-molecules"] == pytest.approx(2 / 3)  # ethanol twice
    assert value["novel-molecules"] == pytest.approx(1 / 2)  # toluene
    assert value["nearest-molecule"] == pytest.approx(1.0)  # both stand in the test split
    assert value["scaffolds"] == pytest.approx(1 / math.sqrt(2))  # (1, 0) and (1, 1)
    # Ethanol twice and toluene, whose fingerprints share the methyl group at most.
    assert 4 / 9 * 0.8 < value["internal-diversity"] <= 4 / 9
    assert value["qed-10"] <= value["qed-50"] <= value["qed-90"]
    assert found["validity"].interval == pytest.approx((0.2307, 0.8824), abs=1e-3)
    names = {name for name, metric in CATALOGUE.items() if metric.group == MOLECULES}
    assert {family(name) for name in found} == names - {"fcd"}
    assert all(CATALOGUE[family(x.name)].direction == x.direction for x in scores)


def test_the_frechet_chemnet_distance_is_asked_for_with_samples_first(monkeypatch):
    """By a stand-in for the package `fcd`, which brings a network of its own."""
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    asked = []

    def get_fcd(samples, references):
        asked.append((samples, references))
        return np.float64(1.5)

    monkeypatch.setitem(sys.modules, "fcd", SimpleNamespace(get_fcd=get_fcd, __spec__=object()))
    kekule = "CC1=CC=CC=C1"
    scores = MoleculeTexts(TRAINING, TEST, Scorer(50, 0.95, 0)).scores(["OCC", "CCO", kekule, "C("])
    (score,) = [each for each in scores if each.name == "fcd"]
    assert (score.value, score.direction, score.n) == (1.5, "lower", 3)
    ((samples, references),) = asked
    assert samples == ["CCO", "CCO", "Cc1ccccc1"] and references == [*map(canonical_of, TEST)]


def canonical_of(text: str) -> str:
    return canonical(molecules([text])[0])


def test_too_few_valid_ones_and_a_large_training_split(monkeypatch):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    texts = MoleculeTexts(TRAINING, TEST, Scorer(50, 0.95, 0))
    assert [score.name for score in texts.scores(["C(", "C"])] == ["validity"]
    # Ethanol and toluene, spelled in another way: a Kekule structure, as SELFIES writes it.
    known, none = ["OCC", "CC", "CC1=CC=CC=C1"], list[str]()
    for most in (3, 2):
        monkeypatch.setattr("seqgan.evaluation.molecules.COMPARED", most)
        found = MoleculeTexts(known, TEST, Scorer(50, 0.95, 0)).scores(SAMPLES)
        novel = [score.value for score in found if score.name == "novel-molecules"]
        assert novel == ([0.0] if most == 3 else none)


def test_a_data_set_is_measured(data):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    domain = domain_scores(data, Scorer(20, 0.95, 0), 50)
    real = {score.name: score.value for score in domain.real()}
    shown, spread = domain.distributions(data.test), domain.distributions(None)
    assert shown.keys() == spread.keys() == {"qed", "logp"}
    assert sorted(shown["qed"]) == sorted(spread["qed"]) and len(shown["qed"]) == len(data.test)
    assert real["validity"] == 1.0 and "novel-molecules" not in real
    mine = {score.name: score.value for score in domain.scores(data.train)}
    assert mine["novel-molecules"] == 0.0 and mine["unique-molecules"] == 1.0


def test_files_of_molecules_are_measured_too(tmp_path):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    files = {"samples": SAMPLES, "references": TEST, "training": TRAINING}
    paths = {name: tmp_path / f"{name}.smi" for name in files}
    for name, lines in files.items():
        paths[name].write_text("".join(f"{line}\n" for line in lines))
    given = {name: str(path) for name, path in paths.items()}
    for cut, measured in (("smiles", True), ("characters", False)):
        settings = EvaluateConfig(**given, corpus={"tokenizer": cut}, resamples=20)
        value = {x.name: x.value for x in file_scores(settings, lambda text: None)["samples"]}
        # As many samples as there are references: three of the five, at random.
        assert (value.get("validity") in (1 / 3, 2 / 3, 1.0)) is measured


def test_drawings_in_the_report(data, tmp_path):
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    batch: Sequences = data.train.select(slice(0, 3))
    file = data.codec.show(batch, tmp_path / "mle")
    assert file.suffix == ".svg" and file.read_text().count("<svg") == 1
    assert drawing(["C(", "CCO"]) == drawing(["C(", "CCO"])
    assert drawing(["CC O"]) == drawing(["C("]) != drawing(["CC"])
    record = Record("a", "", {}, samples={"mle": ["CCO"]}, drawings={"mle": b"<svg/>"})
    (shown,) = _samples(record)
    assert shown.drawing == "data:image/svg+xml;base64,PHN2Zy8+" and shown.picture is None


def test_without_rdkit_the_rest_is_measured(data, monkeypatch, tmp_path):
    monkeypatch.setattr("seqgan.evaluation.molecules.has_rdkit", lambda: False)
    assert domain_scores(data, Scorer(20, 0.95, 0), 50) is None
    monkeypatch.setattr(MoleculeCodec, "suffix", ".txt")
    shown: Path = data.codec.show(data.train, tmp_path / "mle")
    assert shown.read_text().splitlines() == data.codec.texts(data.train)
