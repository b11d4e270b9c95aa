"""``seqgan explain``: its files, its numbers, and what it refuses."""

from __future__ import annotations

import json
import shutil

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

from ..tiny import OF_POLICY_GRADIENT, TINY, without, without_report


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
            assert each["judged"] == pytest.approx(float(judge.eval()(batch)), abs=1e-3)
        assert each["log_prob"] == pytest.approx(scores.log_prob[0].tolist(), abs=1e-3)
        assert each["entropy"] == pytest.approx(scores.entropy[0].tolist(), abs=1e-3)
        assert each["other"] != each["log_prob"]  # under MLE
        assert each["values"][-1] == pytest.approx(each["judged"], abs=1e-3)
        changes = [b - a for a, b in zip(each["values"], each["values"][1:], strict=False)]
        assert each["advantages"][1:] == pytest.approx(changes, abs=1e-3)
        for place_of, likely in enumerate(each["alternatives"]):
            best = max(probability for _, probability in likely)
            assert best == pytest.approx(likely[0][1]) and best <= 1
            assert torch.tensor(each["log_prob"][place_of]).exp() <= best + 1e-4


def test_attention_rows_sum_to_one(four):
    for each in four[1]:
        found = each["attention"]["generator"]
        weights, mean = torch.tensor(found["maps"]), torch.tensor(found["mean"])
        assert torch.allclose(weights.mean((0, 1)), mean, atol=1e-3)
        assert (
            found["detail"] == "heads"
            and weights.shape[:2] == (2, 4)
            and weights.shape[-1] == len(each["tokens"])
        )
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
    assert not found["values"] and not found["nearest"] and found["shares"]
    assert text in capsys.readouterr().out


def test_the_lines_of_a_file(run, tmp_path):
    lines = (run / "samples" / "real.txt").read_text().splitlines()[:3]
    (tmp_path / "texts.txt").write_text("\n".join(lines) + "\n")
    found = sequences_of(run, tmp_path / "out", "--file", str(tmp_path / "texts.txt"))
    assert [each["text"] for each in found] == lines[:2]  # as many as --number says


def test_another_run_is_compared_with(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    mle = (other / "checkpoints" / "mle").read_text()
    (other / "checkpoints" / "finetuned").write_text(mle)  # another model than the run's own
    found = sequences_of(run, tmp_path / "out", "--against", str(other), "--rollouts", "0")
    wanted = sequences_of(run, tmp_path / "mle", "--against", "mle", "--rollouts", "0")
    for key in ("other", "other_entropy"):
        assert [each[key] for each in found] == [each[key] for each in wanted]
    assert all(each["other"] != each["log_prob"] for each in found)
    assert "compared with other" in (tmp_path / "out" / "explain.html").read_text()


def test_a_run_of_mle_alone_has_no_judge(run, tmp_path, capsys):
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    for name in ("finetuned", "latest"):
        (bare / "checkpoints" / name).unlink()
    found = sequences_of(bare, tmp_path / "out")
    assert not any(each["kind"] or each["shares"] or each["values"] for each in found)
    assert all(each["entropy"] and each["attention"] for each in found)
    assert "Nothing judges" in capsys.readouterr().out


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


def sequences_of(run, place, *flags) -> list[dict]:
    """Two samples explained."""
    command = ["explain", str(run), "--number", "2", "--units", "0", "--nearest", "0"]
    assert main([*command, "--output", str(place), *flags]) == 0
    return json.loads((place / "explain.json").read_text())["sequences"]


def test_mle_is_judged_by_the_discriminator_that_came_later(run, tmp_path, capsys):
    found = sequences_of(run, tmp_path, "--model", "mle", "--rollouts", "1")
    assert found[0]["kind"] == "log_odds" and found[0]["values"] and not found[0]["other"]
    remark = "The discriminator is that of the model finetuned: mle has none yet."
    assert remark in " ".join(capsys.readouterr().out.split())
    assert remark in (tmp_path / "explain.html").read_text()


def test_the_score_of_another_loss_is_not_called_log_odds(run, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(run, other)
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config.replace("loss: minimax", "loss: wasserstein"))
    found = sequences_of(other, tmp_path / "out", "--rollouts", "0")
    assert {each["kind"] for each in found} == {"score"}


def test_a_run_for_the_ratio_is_explained_by_it(tmp_path, monkeypatch):
    without_report(monkeypatch)
    run = tmp_path / "run"
    flags = ["--method", "ratio", "--generator.hidden", "16", "--evaluation.control", "false"]
    flags += without(TINY, *OF_POLICY_GRADIENT)
    assert main(["run", *flags, "--output_dir", str(run)]) == 0
    found = sequences_of(run, tmp_path / "out", "--rollouts", "1")
    for each in found:
        assert each["kind"] == "log_ratio"
        assert sum(each["shares"]) == pytest.approx(each["judged"], abs=1e-3)
        assert each["values"][-1] == pytest.approx(each["judged"], abs=1e-3)
    results = json.loads((run / "results.json").read_text())
    assert results["explained"]["kind"] == "log_ratio" and results["action_values"] is None
    write_report(run)
    assert (
        "The samples with the highest and the lowest log ratio" in (run / "report.html").read_text()
    )


def test_a_run_for_a_reward_is_explained_by_it(tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "explain_rewards.py").write_text(
        "def words(completions, **kwargs):\n    return [len(x.split()) for x in completions]\n"
    )
    run, name = tmp_path / "run", "explain_rewards:words"
    flags = ["--method", "rloo", "--generator.hidden", "16", "--rewards", f"[{name}]"]
    assert main(["run", *TINY, *flags, "--output_dir", str(run)]) == 0
    bare = sequences_of(run, tmp_path / "bare", "--rollouts", "1")
    assert bare[0]["kind"] is None and not bare[0]["values"]  # a stranger's code is not imported
    assert f"--rewards '[{name}]' imports it" in " ".join(capsys.readouterr().out.split())
    found = sequences_of(run, tmp_path / "out", "--rollouts", "1", "--rewards", f"[{name}]")
    for each in found:
        assert each["kind"] == "reward" and each["judged"] == len(each["text"].split())
        ended = each["tokens"][-1] == "<eos>"
        ones = [1.0] * (len(each["tokens"]) - ended) + [0.0] * ended
        assert each["shares"] == (ones if len(ones) > 1 else [0.0])
        assert len(each["advantages"]) == len(ones)
    explained = json.loads((run / "results.json").read_text())["explained"]
    assert explained["kind"] == "reward"
    assert explained["most"][0]["judged"] >= explained["least"][0]["judged"]


def test_names_of_tokens(run):
    policy = TextGenerator.from_run(run).policy
    codec = load_codec(run, policy.spec)
    assert token_name(codec, policy.spec.eos_id) == "<eos>"
    assert token_name(codec, codec.encode("a")[0]) == "a"


def test_the_report_explains_the_extremes(run):
    results = json.loads((run / "results.json").read_text())["explained"]
    most = [each["judged"] for each in results["most"]]
    least = [each["judged"] for each in results["least"]]
    assert most == sorted(most, reverse=True) and least == sorted(least) and least[-1] <= most[-1]
    write_report(run)
    page = (run / "report.html").read_text()
    assert "The most and the least convincing samples" in page
    assert f"log-odds {most[0]:+.2f}" in page
    assert "Least convincing" in (run / "report.md").read_text()
