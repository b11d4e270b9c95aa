"""Every method from the command line: all phases of ``seqgan run --method NAME``, and resuming.

Among the fast tests are runs of one method per kind of update, without a figure in the report; the
slow ones end and resume every method.
"""

from __future__ import annotations

import json
import shlex
import signal

import pytest

from seqgan.cli.main import main
from seqgan.config import ALGORITHMS, RunConfig
from seqgan.config.methods import method_names

from ...small import sizes
from ..signals import send
from ..tiny import differences, outcome, without_report

TINY = [
    "--data", "grammar", "--size", "smoke", "--device", "cpu", "--corpus.max_length", "21",
    "--corpus.num_train", "40", "--corpus.num_heldout", "12", "--corpus.num_validation", "12",
    "--corpus.num_test", "12", "--pretrain.epochs", "1", "--pretrain.batch_size", "20",
    "--adversarial.rounds", "1", "--adversarial.generator_steps", "2",
    "--adversarial.measure_every", "1", "--algorithm.batch_size", "8",
    "--evaluation.num_samples", "12", "--evaluation.sweep_samples", "12",
    "--evaluation.temperatures", "[0.9,1.0]", "--evaluation.resamples", "20",
    "--evaluation.primary", "likelihood",
    "--checkpoint.every_minutes", "0",
]  # fmt: skip


def flags(name: str) -> list[str]:
    """A method at the size smoke, with tiny networks, data and samples."""
    config = RunConfig(method=name, size="smoke")
    found = ["--method", name, *TINY]
    groups = ["generator"]
    if any(term.needs_discriminator for term in config.every_term()):
        groups.append("discriminator")
        found += ["--critic.steps=2", "--critic.measure_every=1", "--critic.batch_size=8"]
    for group in groups:
        kind = type(getattr(config, group))
        found += [f"--{group}.{key}={json.dumps(value)}" for key, value in sizes(kind).items()]
    if getattr(config.algorithm, "rollouts", 0):
        found.append("--algorithm.rollouts=1")
    return found


def one_per_algorithm() -> list[str]:
    """A method of each kind of update, in the order of their names but for those with noise.

    The likelihood of a policy that reads noise is a mean over many draws of it.
    """
    kinds = {
        config.algorithm.name: name
        for name in reversed(method_names())
        if not getattr((config := RunConfig(method=name)).generator, "noise", 0)
    }
    return [kinds[name] for name in ALGORITHMS]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr("seqgan.training.health.SAMPLES", 12)
    without_report(monkeypatch)


@pytest.mark.parametrize("name", one_per_algorithm())
def test_a_smoke_run_goes_through_all_phases(name, tmp_path):
    run = tmp_path / "run"
    assert main(["run", *flags(name), "--output_dir", str(run)]) == 0
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    stages = {line["stage"] for line in lines}
    assert {"mle", "adversarial", "validation", "control", "control-validation"} <= stages
    results = json.loads((run / "results.json").read_text())
    assert results["verdict"]["label"] == "too small to judge"
    assert results["verdict"]["mle_best_value"] is not None
    assert {"mle", "finetuned", "real"} <= set(results["scores"])


@pytest.mark.slow
@pytest.mark.parametrize("name", method_names())
def test_a_run_that_is_ended_twice_is_the_same(name, tmp_path, capsys, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with monkeypatch.context() as patch:
        steps = send(patch, signal.SIGTERM, 0)
        assert main(["run", *flags(name), "--output_dir", str(whole)]) == 0
    command = ["run", *flags(name), "--output_dir", str(parts)]
    for _ in range(2):
        with monkeypatch.context() as patch:
            send(patch, signal.SIGTERM, steps[0] // 3)
            capsys.readouterr()
            assert main(command) == 128 + signal.SIGTERM
        command = shlex.split(capsys.readouterr().err.split("resume with: ")[1])[1:]
    assert main(command) == 0
    assert not differences(outcome(whole), outcome(parts))
