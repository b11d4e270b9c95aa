"""The whole path on tiny data: files, reproducibility, fine-tuning, sampling, evaluation."""

from __future__ import annotations

import html
import json
import re

import pytest
import yaml

from seqgan.cli.main import main
from seqgan.evaluation.significance import LABELS
from seqgan.runs.run_directory import RunDirectory

from .tiny import TINY_WORK, without_report


@pytest.fixture(scope="module")
def run(smoke_run):
    """A run of the size smoke through the command line."""
    return smoke_run


def results_sentence(run) -> str:
    return json.loads((run / "results.json").read_text())["verdict"]["sentence"]


def test_the_folder_holds_what_the_design_names(run):
    for name in ("config.yaml", "environment.json", "metrics.jsonl", "results.json"):
        assert (run / name).is_file(), name
    assert results_sentence(run) in html.unescape((run / "report.html").read_text())
    assert "](figures/quality-diversity.png)" in (run / "report.md").read_text()
    assert (run / "figures" / "quality-diversity.png").is_file()
    for name in ("mle", "finetuned", "real"):
        assert len((run / "samples" / f"{name}.txt").read_text().splitlines()) >= 200
    for name in ("latest", "mle", "finetuned"):
        place = RunDirectory(run).checkpoint(name)
        assert (place / "generator.safetensors").is_file()
    assert (RunDirectory(run).checkpoint("finetuned") / "discriminator.safetensors").is_file()
    leftovers = [p for p in run.rglob("*") if p.name.startswith(".")]
    assert not leftovers
    assert list(run.glob("events*")), "TensorBoard events"


def test_results_hold_scores_intervals_sweeps_and_a_verdict(run):
    results = json.loads((run / "results.json").read_text())
    verdict = results["verdict"]
    assert verdict["label"] == "too small to judge" and not verdict["helped"]
    assert verdict["against_mle"] in LABELS and verdict["against_control"] in LABELS
    assert "MLE was still improving at its last epoch (2)" in " ".join(verdict["cautions"])
    names = {score["name"] for score in results["scores"]["mle"]}
    wanted = {"nll", "entropy", "forward-kl", "js", "parses", "distinct-1", "unique", "copied"}
    assert wanted | {f"bleu-{k}" for k in (2, 3, 4, 5)} <= names
    assert {f"self-bleu-{k}" for k in (2, 3, 4, 5)} <= names
    for score in results["scores"]["finetuned"]:
        assert "version:" in score["signature"] and score["n"] > 0
        if score["interval"] is not None:
            low, high = score["interval"]
            assert low <= score["value"] <= high
    for split in ("validation", "test"):
        for points in results["sweep"][split].values():
            assert [point["temperature"] for point in points] == [0.8, 1.0, 1.2]
            entropies = [point["entropy"] for point in points]
            assert entropies == sorted(entropies)
    assert results["sweep"]["real"]["sequences"] == 100
    assert 0 < results["sweep"]["real"]["self-bleu-2"] <= 1
    assert len(results["action_values"]["sentences"]) == 6
    stages = {line["stage"] for line in RunDirectory(run).read_log()}
    assert {"mle", "discriminator", "adversarial", "validation"} <= stages


def test_its_config_repeats_it(run, tmp_path, monkeypatch):
    without_report(monkeypatch)
    again = tmp_path / "again"
    config = str(run / "config.yaml")
    assert main(["run", "--config", config, "--output_dir", str(again)]) == 0
    assert (again / "results.json").read_text() == (run / "results.json").read_text()
    assert (again / "samples/finetuned.txt").read_text() == (
        run / "samples/finetuned.txt"
    ).read_text()


def test_sampling_from_a_run(run, tmp_path, capsys):
    assert main(["sample", "--run", str(run), "--number", "4", "--temperature", "0.7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(lines)
    out = tmp_path / "samples.txt"
    arguments = ["sample", "--run", str(run), "--number", "4", "--output", str(out)]
    assert main([*arguments, "--model", "mle", "--top_k", "5", "--top_p", "0.9"]) == 0
    assert len(out.read_text().splitlines()) == 4


def test_evaluating_a_run_again(run, tmp_path, capsys):
    out = tmp_path / "scores.json"
    assert main(["evaluate", "--run", str(run), "--output", str(out)]) == 0
    again = json.loads(out.read_text())
    scores = json.loads((run / "results.json").read_text())["scores"]
    assert again == {name: scores[name] for name in ("mle", "finetuned", "real")}
    assert "held-out NLL" in capsys.readouterr().out


def test_pretraining_then_fine_tuning_is_a_run_in_two_parts(run, tmp_path, capsys, monkeypatch):
    without_report(monkeypatch)
    first, second = tmp_path / "mle", tmp_path / "finetuned"
    base = ["--method", "seqgan-logodds", "--data", "grammar", "--size", "smoke"]
    assert main(["pretrain", *base, "--output_dir", str(first)]) == 0
    results = json.loads((first / "results.json").read_text())
    assert set(results["scores"]) == {"mle", "real"} and results["verdict"] is None
    assert main(["finetune", "--run", str(first), "--output_dir", str(second)]) == 0
    whole = json.loads((run / "results.json").read_text())
    tuned = json.loads((second / "results.json").read_text())
    assert tuned["scores"] == whole["scores"]
    # two epochs are no convergence, and fine-tuning knows it of the run that it began with
    assert whole["pretraining"]["state"] == "still improving"
    assert results["pretraining"] == tuned["pretraining"] == whole["pretraining"]
    assert yaml.safe_load((second / "config.yaml").read_text())["generator"]["hidden"] == 32
    assert main(["sample", "--run", str(second), "--number", "2"]) == 0
    assert main(["evaluate", "--run", str(second)]) == 0
    third = tmp_path / "third"
    wrong = ["finetune", "--run", str(first), "--output_dir", str(third)]
    capsys.readouterr()
    assert main([*wrong, "--corpus.split_seed", "1"]) == 2
    assert f"grammar is not what the run at {first} was trained on" in capsys.readouterr().err
    assert main([*wrong, "--generator.hidden", "99"]) == 2
    assert "a generator of other settings" in capsys.readouterr().err
    assert not third.exists()
    for path in (first, second):
        RunDirectory.check_free(path, overwrite=True)  # everything there is a run's


def test_the_same_for_a_text_file(tmp_path, capsys):
    corpus = tmp_path / "my words.txt"
    lines = [f"the {a} cat {b} the {c} mat ." for a in "abcde" for b in "fghij" for c in "klmnop"]
    corpus.write_text("\n".join(lines))
    path = tmp_path / "run"
    arguments = ["run", "--data", str(corpus), *TINY_WORK, "--corpus.min_count", "1"]
    arguments += ["--corpus.num_train", "0"]
    assert main([*arguments, "--output_dir", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "Verdict: too small to judge" in printed and "held-out NLL" in printed
    cautions = printed[printed.index("Read with care") :]
    assert "MLE was still improving" in cautions and "One training seed" in cautions
    # terminal and report say the same of the discriminator, and of the state that was kept
    told = re.search(r"told [\d.]+% of unseen sequences.*?to see|told .*? teach", printed, re.S)
    assert told is not None and " ".join(told[0].split()) in (path / "report.md").read_text()
    results = json.loads((path / "results.json").read_text())
    assert results["verdict"]["metric"] == "nll"
    assert main(["sample", "--run", str(path), "--number", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_python_interface(tmp_path, monkeypatch):
    from seqgan import run
    from seqgan.config import RunConfig
    from seqgan.config.reading import run_config

    without_report(monkeypatch)
    smoke = {"output_dir": str(tmp_path / "run"), "corpus": {"num_train": 60, "num_test": 60}}
    smoke["corpus"] |= {"num_validation": 60, "num_heldout": 60}
    smoke |= {
        "size": "smoke",
        "generator": {"hidden": 16, "embedding": 8},
        "pretrain": {"epochs": 1},
        "critic": {"steps": 1},
        "algorithm": {"batch_size": 8, "rollouts": 1},
        "adversarial": {"rounds": 1},
        "evaluation": {
            "num_samples": 50, "sweep_samples": 50, "resamples": 20, "temperatures": [0.9, 1.0],
        },
    }  # fmt: skip
    config = run_config(smoke, "the test")
    assert isinstance(config, RunConfig)
    result = run(config)
    assert result.comparison is not None and result.finetuned is not None
    assert result.answer is not None and result.answer.label == "too small to judge"
    assert result.comparison.verdict.sentence in result.answer.sentence


def test_a_prefix_is_continued(run, capsys):
    arguments = ["sample", "--run", str(run), "--number", "3", "--prefix"]
    assert main([*arguments, "a man"]) == 0
    assert all(line.startswith("a man ") for line in capsys.readouterr().out.splitlines())
    assert main([*arguments, "a mann"]) == 2
    assert "'mann' is not in the vocabulary (did you mean" in capsys.readouterr().err
    assert main([*arguments, "a " * 60]) == 2
    assert "leave nothing to generate" in capsys.readouterr().err


def test_runs_side_by_side(run, capsys, tmp_path):
    assert main(["compare", str(run), str(run)]) == 0
    assert "verdict" in capsys.readouterr().out
    assert main(["compare", str(run)]) == 2
    assert "two runs or more" in capsys.readouterr().err
    assert main(["compare", str(run), str(tmp_path)]) == 2
    assert "no run there" in capsys.readouterr().err
