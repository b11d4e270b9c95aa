"""``seqgan explain``: its files, its numbers, and what it refuses."""

from __future__ import annotations

import json

import pytest
import torch

from rollout import Sequences
from seqgan.cli.main import main
from seqgan.data.codec import load_codec
from seqgan.evaluation.explain import token_name
from seqgan.hub import JUDGE, TextGenerator
from seqgan.models import load_discriminator, load_generator
from seqgan.report import write_report
from seqgan.runs.run_directory import RunDirectory

from ..tiny import TINY, without_report


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny run with a CNN, and a Transformer."""
    place = tmp_path_factory.mktemp("explain") / "run"
    networks = ["--generator.architecture", "transformer", "--generator.width", "16",
                "--generator.layers", "2", "--discriminator.architecture", "cnn",
                "--discriminator.filter_share", "0.1"]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        without_report(patch)
        assert main(["run", *TINY, *networks, "--output_dir", str(place)]) == 0
    return place


@pytest.fixture(scope="module")
def four(run, tmp_path_factory):
    """Four samples explained: the folder, and the numbers."""
    place = tmp_path_factory.mktemp("four")
    command = ["explain", str(run), "--number", "4", "--rollouts", "2", "--output", str(place)]
    assert main(command) == 0
    return place, json.loads((place / "explain.json").read_text())["sequences"]


def test_the_page_of_twenty_sequences_is_small_and_asks_for_nothing(four):
    place, found = four
    page = (place / "explain.html").read_text()
    assert len(found) == 4 and 5 * len(page.encode()) < 2_000_000
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert page.count("<script") == 0
    for number in range(1, 5):
        assert (place / f"explain-{number}.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_are_the_models_own(run, four):
    _, found = four
    directory = RunDirectory.open(run)
    place = directory.checkpoint("finetuned")
    policy = load_generator(place / "generator")
    codec = load_codec(run, policy.spec)
    judge = load_discriminator(place / JUDGE, codec)
    for each in found[:3]:
        ids = codec.encode(each["text"])
        if each["tokens"][-1] == "<eos>":
            ids = [*ids, policy.spec.eos_id]
        batch = Sequences(torch.tensor([ids]), torch.tensor([len(ids)]))
        with torch.no_grad():
            scores = policy.eval()(batch)
            assert each["log_odds"] == pytest.approx(float(judge.eval()(batch)), abs=1e-3)
        assert each["log_prob"] == pytest.approx(scores.log_prob[0].tolist(), abs=1e-3)
        assert each["entropy"] == pytest.approx(scores.entropy[0].tolist(), abs=1e-3)
        assert each["other"] != each["log_prob"]  # under MLE
        assert each["values"][-1] == pytest.approx(each["log_odds"], abs=1e-3)
        changes = [b - a for a, b in zip(each["values"], each["values"][1:], strict=False)]
        assert each["advantages"][1:] == pytest.approx(changes, abs=1e-3)
        for place_of, likely in enumerate(each["alternatives"]):
            best = max(probability for _, probability in likely)
            assert best == pytest.approx(likely[0][1]) and best <= 1
            assert torch.tensor(each["log_prob"][place_of]).exp() <= best + 1e-4


def test_attention_rows_sum_to_one(four):
    for each in four[1]:
        weights = torch.tensor(each["attention"]["generator"])
        assert weights.shape[0] == 2 and weights.shape[-1] == len(each["tokens"])
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-3)


def test_windows_units_and_neighbours_are_there(four):
    each = next(each for each in four[1] if len(each["tokens"]) > 3)
    assert each["windows"] and len(each["units"]) == 4 and len(each["nearest"]) == 3
    assert len(each["units"][0]["examples"]) == 3
    assert each["nearest"] == sorted(each["nearest"], key=lambda pair: pair[0])


def test_a_text_of_ones_own(run, tmp_path, capsys):
    text = (run / "samples" / "real.txt").read_text().splitlines()[0]
    place = tmp_path / "explained"
    command = ["explain", "--run", str(run), "--text", text, "--output", str(place)]
    assert main([*command, "--rollouts", "0", "--nearest", "0", "--units", "0"]) == 0
    (found,) = json.loads((place / "explain.json").read_text())["sequences"]
    assert found["text"] == text and found["tokens"][-1] == "<eos>"
    assert not found["values"] and not found["nearest"] and found["occlusion"]
    assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--text", "an unheardof word"], "'unheardof' is not in the vocabulary"),
        (["--text", "a " * 50], "51 tokens, and the model has at most 21"),
        (["--text", "a", "--file", "b.txt"], "--text and --file"),
        (["--text", "a", "--condition", "sad"], "--condition: 'sad'"),
        (["--against", "nowhere"], "no run there"),
        (["--number", "0"], "--number: 0 is below 1"),
    ],
)
def test_what_is_refused(run, tmp_path, capsys, flags, message):
    place = tmp_path / "explained"
    assert main(["explain", "--run", str(run), *flags, "--output", str(place)]) == 2
    assert message in capsys.readouterr().err and not place.exists()


def test_names_of_tokens(run):
    policy = TextGenerator.from_run(run).policy
    codec = load_codec(run, policy.spec)
    assert token_name(codec, policy.spec.eos_id) == "<eos>"
    assert token_name(codec, codec.encode("a")[0]) == "a"


def test_the_report_explains_the_extremes(run):
    results = json.loads((run / "results.json").read_text())["explained"]
    most = [each["log_odds"] for each in results["most"]]
    least = [each["log_odds"] for each in results["least"]]
    assert most == sorted(most, reverse=True) and least == sorted(least) and least[-1] <= most[-1]
    write_report(run)
    page = (run / "report.html").read_text()
    assert "The most and the least convincing samples" in page
    assert f"log-odds {most[0]:+.2f}" in page
    assert "Least convincing" in (run / "report.md").read_text()
