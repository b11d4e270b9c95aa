"""The program that checks a GPU, tried on a CPU with tiny sizes."""

from __future__ import annotations

import json
import re

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu import kernels, runs, steps

from ..capture import use_recorded_graphs


def test_it_says_that_there_is_no_gpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([]) == 2
    assert "no CUDA device" in capsys.readouterr().out


def test_logs_are_compared_in_all_stages():
    log = [{"stage": stage, name: 2.0} for stage, name in runs.LOGGED]
    assert set(runs.differences(log, log).values()) == {0.0}
    for row, (stage, name) in zip(log, runs.LOGGED, strict=True):
        other = [{**each, name: 2.5} if each is row else each for each in log]
        assert runs.differences(log, other)[stage, name] == 0.5
        with pytest.raises(AssertionError, match=f"{stage}/{name}: 1 and 0 numbers"):
            runs.differences(log, [each for each in log if each is not row])


def test_it_names_every_architecture_and_method(monkeypatch):
    from seqgan.config import ALGORITHMS, DISCRIMINATORS, GENERATORS
    from seqgan.config.methods import method_names

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    for everything in (False, True):
        names = "\n".join(each.name for each in gpu_check.checks("cuda", everything, False))
        lines, precisions = names.splitlines(), ("no", "bf16", "fp16")
        own = [line for line in lines if line.startswith("method ")]
        for name in method_names():
            found = [kind for kind in precisions if f"method {name}, {kind}" in own]
            assert len(found) == 3 if everything else 1 <= len(found) <= 2
            if name in gpu_check.one_of_each_algorithm():
                assert "no" in found  # fp16 has no graphs
        for name in (*GENERATORS, *DISCRIMINATORS):
            if getattr(GENERATORS.get(name), "judge", None) is None:
                for precision in precisions:
                    assert any(name in x and x.endswith(f", {precision}") for x in lines)
        assert names.count("smoke run") == len(ALGORITHMS)


def test_rollouts_that_end_are_timed_both_ways():
    note = kernels.endings("cpu", tiny=True)
    assert re.fullmatch(r"ended rows dropped \d+\.\d{4} s, one graph \d+\.\d{4} s", note)


@pytest.mark.slow
def test_the_whole_program(tmp_path, capsys):
    output = tmp_path / "checks.json"
    assert gpu_check.main(["--device", "cpu", "--tiny", "--output", str(output)]) == 0
    rows = json.loads(output.read_text())["checks"]
    assert len(rows) == 11 and not any(row["failed"] for row in rows)
    assert "11 checks, 0 failed" in capsys.readouterr().out


def test_a_failure_is_shown_and_counts(capsys, monkeypatch):
    def broken(folder):
        raise ValueError("no such kernel\nand more")

    made = [gpu_check.Check("works", lambda folder: "fine"), gpu_check.Check("breaks", broken)]
    monkeypatch.setattr(gpu_check, "checks", lambda *_: made)
    assert gpu_check.main(["--device", "cpu"]) == 1
    table = capsys.readouterr().out.splitlines()
    assert table[-3].split()[-2:] == ["ok", "fine"]
    assert table[-2].endswith("FAILED  ValueError: no such kernel")
    assert table[-1].startswith("2 checks, 1 failed")


def test_a_run_that_goes_on_without_graphs_has_failed(tmp_path, monkeypatch):
    def said(words):
        print("warning: no CUDA graph could be recorded (reason): continuing")
        return 0

    monkeypatch.setattr(runs, "seqgan", said)
    with pytest.raises(AssertionError, match="could be recorded"):
        runs.short_run("cpu", [], tmp_path)


@pytest.mark.parametrize("name", ["MLE", "policy gradient"])
def test_fifty_steps_are_the_same_with_graphs_and_without(monkeypatch, name):
    use_recorded_graphs(monkeypatch)
    apart, replays = steps.apart(name, "cpu", 50)
    assert apart < 1e-6 and replays >= 40


def test_steps_that_differ_or_are_not_recorded_have_failed(monkeypatch):
    assert steps.equal("cpu") == "no graphs on this device" == steps.broken("cpu")
    use_recorded_graphs(monkeypatch)
    assert steps.equal("cpu", 4).startswith("4 steps of MLE, discriminator")
    with pytest.raises(AssertionError, match="MLE: no step was recorded"):
        steps.equal("cpu", 2)
    monkeypatch.setattr(steps, "apart", lambda *_: (2e-6, 5))
    with pytest.raises(AssertionError, match="MLE: parameters differ by 2.0e-06 after 4 steps"):
        steps.equal("cpu", 4)


def test_after_a_step_that_cannot_be_recorded_others_are(monkeypatch):
    use_recorded_graphs(monkeypatch)
    assert steps.broken("cpu") == (
        "no CUDA graph could be recorded (_local_scalar_dense makes the host wait)"
    )


def test_a_kind_of_step_that_is_never_recorded_has_failed():
    runs.check_recorded(dict.fromkeys(runs.MAIN, 1))
    for name in runs.MAIN:
        with pytest.raises(AssertionError, match=f"no step was recorded of: {name}$"):
            runs.check_recorded({each: int(each != name) for each in runs.MAIN})


@pytest.mark.slow
def test_a_short_run_records_every_kind_of_step(monkeypatch, tmp_path):
    use_recorded_graphs(monkeypatch)
    assert "of adversarial" in runs.graphs("cpu", tmp_path)


def test_a_training_without_rounds_or_with_numbers_that_are_not_finite_has_failed():
    log = [
        {"stage": "mle", "step": 1, "nll": 2.0},
        {"stage": "adversarial", "step": 2, "loss": 0.1},
    ]
    assert runs.check_log(log) == 1
    with pytest.raises(AssertionError, match="no step of the rounds"):
        runs.check_log(log[:1])
    with pytest.raises(AssertionError, match="adversarial/loss is nan at step 2"):
        runs.check_log([log[0], {**log[1], "loss": float("nan")}])


def test_draws_are_compared_with_their_distribution():
    rng = torch.Generator().manual_seed(0)
    log_probs = torch.randn(2_000, 30, generator=rng, dtype=torch.float64).log_softmax(-1)
    drawn = torch.multinomial(log_probs.exp(), 2, replacement=True, generator=rng)
    assert abs(kernels.surprise(log_probs, drawn)) < 3
    likely = torch.where(
        torch.rand(2_000, 2, generator=rng) < 0.2, log_probs.argmax(1)[:, None], drawn
    )
    assert kernels.surprise(log_probs, likely) > kernels.STANDARD_ERRORS
