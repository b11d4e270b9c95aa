"""Whole runs with rewards of one's own: flags, curves, tables, errors, trust."""

from __future__ import annotations

import json
import shlex
import signal
from dataclasses import asdict

import pytest
import torch

import seqgan
from seqgan.cli.main import main
from seqgan.cli.parsing import parse
from seqgan.config.imports import dotted_names
from seqgan.config.methods import DEFAULT_METHOD, DISCRIMINATOR_METHOD
from seqgan.training.callbacks import Sample

from ..signals import send
from ..tiny import REWARDED, TINY, differences, outcome, without_report

HERE = "tests.seqgan.rewards.functions"
OWN = [*TINY, "--evaluation.control", "false", "--algorithm.rollouts", "0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("rewards") / "run"
    words = ["--rewards", f"{HERE}:long:0.5", "length:0.25"]
    assert main(["run", *OWN, *words, "--output_dir", str(path)]) == 0
    return path


def log(path, stage):
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["stage"] == stage]


def test_a_curve_for_each_term(run):
    lines = log(run, "adversarial")
    assert len(lines) == 3 and not log(run, "discriminator")
    for line in lines:
        assert line["reward_long"] == line["reward_length"] > 0
        assert line["mean_reward"] == pytest.approx(0.75 * line["reward_long"], rel=1e-5)
        assert line["reward_long_sd"] == line["reward_length_sd"]
    names = {file.stem for file in (run / "figures").glob("*.png")}
    assert {"mean-reward", "reward-long", "reward-length"} <= names


def test_samples_with_their_rewards(run):
    (line,) = log(run, "samples")  # every second round of three
    assert line["step"] == 2 and len(line["samples"]) == 3
    for sample in line["samples"]:
        words = len(sample["text"].split())
        assert sample["terms"] == {"long": words, "length": words}
        assert sample["reward"] == pytest.approx(0.75 * words)
    text = line["samples"][0]["text"]
    assert "Samples with their rewards" in (run / "report.md").read_text()
    assert text in (run / "report.html").read_text()
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (file,) = run.glob("events.out.tfevents*")
    values = [v for event in EventFileLoader(str(file)).Load() for v in event.summary.value]
    tables = [v for v in values if v.tag.startswith("samples/table")]
    assert len(tables) == 1 and text.encode() in tables[0].tensor.string_val[0]
    assert any(v.tag == "adversarial/reward_length" for v in values)


def test_what_a_strangers_run_names_is_not_imported(run, capsys, monkeypatch):
    words = ["--run", str(run)]
    with pytest.raises(seqgan.errors.ConfigError, match="--rewards: .*:long .*--trust imports it"):
        parse("finetune", words)
    with pytest.raises(seqgan.errors.ConfigError, match="--trust imports it"):
        parse("run", ["--resume", str(run)])
    with monkeypatch.context() as patch:
        stored = seqgan.runs.run_directory.RunDirectory.config
        staged = [{"rewards": [f"{HERE}:tokens"], "steps": 1}]
        patch.setattr(
            seqgan.runs.run_directory.RunDirectory, "config",
            lambda self: {**stored(self), "stages": staged},
        )  # fmt: skip
        assert not parse("finetune", [*words, "--rewards", "length", "--stages", "[]"]).stages
        with pytest.raises(
            seqgan.errors.ConfigError, match=r"--stages: .*:tokens .*'\[\]' for none"
        ):
            parse("finetune", [*words, "--rewards", "length"])
    for setting, group in (
        ("corpus.tokenizer", {"corpus": {"tokenizer": "some.where:Words"}}),
        ("critic.augment", {"critic": {"augment": ["swap", "some.where:change"]}}),
        ("evaluation.embedder", {"evaluation": {"embedder": "some.where:embed"}}),
    ):
        found = dotted_names({"rewards": [], **group})
        assert [name for name, _ in found] == [setting]
    for rewards in (["some.where:fn:0.5"], "some.where:fn", [{"name": "some.where:fn"}]):
        assert dotted_names({"rewards": rewards}) == [("rewards", "some.where:fn")]
    stage = {"rewards": ["length", "some.where:fn:2"], "steps": 1}
    for stages in (stage, [stage]):
        assert dotted_names({"stages": stages}) == [("stages", "some.where:fn")]
    assert parse("finetune", [*words, "--trust"]).rewards[0].name == f"{HERE}:long"
    assert parse("run", ["--resume", str(run), "--trust"]).rewards[1].weight == 0.25
    assert parse("finetune", [*words, "--rewards", "length"]).rewards[0].name == "length"
    assert main(["run", "--config", str(run / "config.yaml"), "--print_config"]) == 0
    assert "trust: false" in (run / "config.yaml").read_text()


def test_rewards_of_whole_sequences_take_no_rollouts_unless_they_are_asked_for(run, monkeypatch):
    """A rollout of every prefix would be a call each; nobody has to know a method's name."""
    for given, method, rollouts in (
        ({"rewards": "length"}, "rloo", 0),
        ({"rewards": "length", "algorithm": {"rollouts": 3}}, "rloo", 3),
        ({"rewards": "length", "method": DEFAULT_METHOD}, DEFAULT_METHOD, None),
        ({"rewards": ["length", "discriminator"]}, DISCRIMINATOR_METHOD, None),
        ({"stages": [{"rewards": ["discriminator"], "steps": 1}], "rewards": "length",
          "algorithm": {"name": "policy_gradient"}}, DISCRIMINATOR_METHOD, None),
    ):  # fmt: skip
        found = seqgan.RunConfig(**given)
        assert found.method == method
        assert rollouts is None or found.algorithm.rollouts == rollouts
    stored = seqgan.runs.run_directory.RunDirectory.config
    with_judge = seqgan.RunConfig(method="seqgan-logodds", size="smoke")
    before = {"rewards": ["discriminator"], "algorithm": asdict(with_judge.algorithm)}
    monkeypatch.setattr(
        seqgan.runs.run_directory.RunDirectory, "config",
        lambda self: {**stored(self), "method": "seqgan-logodds", **before},
    )  # fmt: skip
    words = ["--run", str(run), "--rewards"]
    found = parse("finetune", [*words, "length", "novelty:0"])
    assert (found.method, found.algorithm.rollouts) == ("rloo", 0)
    assert found.evaluation.num_samples == 30  # of the run, as before
    found = parse("finetune", [*words, "length", "--algorithm.rollouts", "2"])
    assert (found.method, found.algorithm.rollouts) == ("rloo", 2)
    found = parse("finetune", [*words, "length", "discriminator"])
    assert found.algorithm == with_judge.algorithm
    before["rewards"] = ["length"]  # whose updates the user chose for such a reward
    assert parse("finetune", [*words, "novelty"]).algorithm == with_judge.algorithm


def test_a_reward_that_fails_leaves_a_state_to_resume_from(tmp_path, capsys, monkeypatch):
    without_report(monkeypatch)
    path = tmp_path / "run"
    from . import functions

    monkeypatch.setattr(functions, "long", lambda completions: [1 / 0 for _ in completions])
    words = ["run", *OWN, "--rewards", f"{HERE}:long", "--output_dir", str(path)]
    assert main(words) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "ZeroDivisionError" in x]
    assert f"mend it, then resume with: seqgan run --resume {path} --trust" in line
    monkeypatch.undo()
    without_report(monkeypatch)
    assert main(["run", "--resume", str(path), "--trust"]) == 0
    assert len(log(path, "adversarial")) == 3


@pytest.mark.parametrize("rewards", [f"{HERE}:long", "length"])
def test_a_budget_ends_the_rounds(rewards, tmp_path, monkeypatch, capsys):
    """Half of 24 calls are for three measurements of 4 samples, the rest for two steps of 8."""
    without_report(monkeypatch)
    path = tmp_path / "run"
    words = ["run", *OWN, "--rewards", rewards, "--reward.calls", "24"]
    words += ["--adversarial.generator_steps", "5"]
    assert main([*words, "--output_dir", str(path)]) == 0
    assert len(log(path, "adversarial")) == 2  # of 8 new sequences each: the round is cut short
    assert [line["round"] for line in log(path, "validation")] == [0, 1]
    printed = " ".join(capsys.readouterr().out.split())
    assert "about 12 calls at most in training, 12 to choose the state (3 measurements)" in printed
    rows = json.loads((path / "results.json").read_text())["objective"]["rows"]
    assert rows[-1]["calls"] == 16 + 2 * 4


@pytest.mark.parametrize(("budget", "samples"), [(120, 20), (1_500, 30)])
def test_every_call_of_a_run_is_one_of_those_announced(tmp_path, monkeypatch, budget, samples):
    without_report(monkeypatch)
    from . import functions

    asked, plain = [], functions.long

    def counted(completions):
        asked.extend(completions)
        return plain(completions)

    monkeypatch.setattr(functions, "long", counted)
    words = ["run", *OWN, "--rewards", f"{HERE}:long", "--reward.cache", "false"]
    words += ["--reward.calls", "24", "--reward.verdict_calls", str(budget)]
    assert main([*words, "--output_dir", str(tmp_path / "run")]) == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    tenth, finetuned = results["objective"]["rows"][1:]
    shown = [*results["explained"]["most"], *results["explained"]["least"]]
    explaining = sum(len(each["shares"]) for each in shown)
    assert (explaining > 0) == (budget > 120)  # 6 samples of 21 tokens are more than a tenth
    verdict = 3 * samples + tenth["calls"] + explaining  # the calls are too few for a best of n
    assert verdict <= budget and len(asked) == finetuned["calls"] + verdict


def test_callbacks(tmp_path, monkeypatch):
    without_report(monkeypatch)
    steps, rounds, samples = [], [], []
    config = parse("run", [*OWN, "--rewards", "length", "--output_dir", str(tmp_path / "run")])
    seqgan.run(
        config,
        on_step=lambda step, figures: steps.append((step, figures["mean_reward"])),
        on_round=lambda number, figures: rounds.append((number, "score" in figures)),
        on_sample=lambda step, found: samples.append((step, found)),
    )
    assert [step for step, _ in steps] == [1, 2, 3] and all(x > 0 for _, x in steps)
    assert rounds == [(1, False), (2, True), (3, True)]
    ((step, found),) = samples
    assert step == 2 and isinstance(found[0], Sample)
    assert found[0].reward == len(found[0].text.split()) and torch.is_grad_enabled()


def test_ctrl_c_in_the_middle_of_memory_stages_and_budget(run, tmp_path, monkeypatch, capsys):
    """The command that is named goes on to the same bits as a run that nobody ended."""
    without_report(monkeypatch)
    words = ["finetune", "--run", str(run), *REWARDED, "--checkpoint.every_steps", "2"]
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert main([*words, "--output_dir", str(whole)]) == 0
    assert "stage 2 of the reward begins" in capsys.readouterr().out
    first = log(whole, "adversarial")
    assert len(first) == 6 and "reward_length" in first[2] and "reward_long" in first[3]
    words += ["--output_dir", str(parted)]
    for steps in (2, 2):  # in the first stage; in the second
        with monkeypatch.context() as patch:
            send(patch, signal.SIGINT, steps)
            assert main(words) == 130
        words = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
        assert words[0] == "finetune" and words[-1] == "--trust"
    assert len(log(parted, "adversarial")) == 4
    assert main(words) == 0
    assert not differences(outcome(whole), outcome(parted))


def test_the_verdict_by_the_mean_reward(tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    path = tmp_path / "run"
    words = [
        "run", *OWN, "--rewards", f"{HERE}:long:-1", "--adversarial.rounds", "12",
        "--algorithm.optimizer.learning_rate", "0.01", "--algorithm.batch_size", "16",
    ]  # fmt: skip
    assert main([*words, "--output_dir", str(path)]) == 0
    results = json.loads((path / "results.json").read_text())
    assert results["verdict"] is None and results["control"] is None
    found = results["objective"]
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["mle", "best-of-n", "best-tenth", "finetuned"]
    calls = rows["finetuned"]["calls"]
    chosen = 20 * len(log(path, "validation"))  # the state is chosen by rewards as well
    # in training repeated ones are judged once
    assert 16 < calls - chosen <= 16 * results["adversarial"]["rounds"]
    assert found["n"] == calls // 30 and rows["best-of-n"]["calls"] == 30 * found["n"]
    assert rows["best-of-n"]["reward"] > rows["mle"]["reward"] and rows["mle"]["kl"] == 0
    assert rows["best-tenth"]["calls"] == 20 + min(64, max(20, calls - 20))
    assert all(row["low"] < row["reward"] < row["high"] for row in rows.values())
    assert found["label"] == "too small to judge" and "mean reward" in found["sentence"]
    assert "MLE was still improving at its last epoch" in found["sentence"]
    printed = " ".join(capsys.readouterr().out.split())
    assert "Verdict: too small to judge" in printed
    validation = log(path, "validation")
    assert all(line["score"] == -line["reward"] for line in validation)
    best = min(validation, key=lambda line: line["score"])
    assert results["adversarial"]["best_round"] == best["round"] > 0
