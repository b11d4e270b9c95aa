"""The program that checks a GPU, tried on a CPU with tiny sizes."""

from __future__ import annotations

import json
import re

import pytest
import torch

from benchmarks import gpu_check


def test_it_says_that_there_is_no_gpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([]) == 2
    assert "no CUDA device" in capsys.readouterr().out


def test_logs_are_compared_in_all_stages():
    log = [{"stage": stage, name: 2.0} for stage, name in gpu_check.LOGGED]
    assert set(gpu_check.differences(log, log).values()) == {0.0}
    for row, (stage, name) in zip(log, gpu_check.LOGGED, strict=True):
        other = [{**each, name: 2.5} if each is row else each for each in log]
        assert gpu_check.differences(log, other)[stage, name] == 0.5
        with pytest.raises(AssertionError, match=f"{stage}/{name}: 1 and 0 numbers"):
            gpu_check.differences(log, [each for each in log if each is not row])


def test_it_names_every_architecture_and_method(monkeypatch):
    from seqgan.config import ALGORITHMS, DISCRIMINATORS, GENERATORS
    from seqgan.config.methods import method_names

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    for everything in (False, True):
        names = "\n".join(each.name for each in gpu_check.checks("cuda", everything, False))
        lines, precisions = names.splitlines(), ("no", "bf16", "fp16")
        own = [line for line in lines if line.startswith("method ")]
        for name in method_names():
            found = sum(f"method {name}, {precision}" in own for precision in precisions)
            assert found == (3 if everything else 1)
        for name in (*GENERATORS, *DISCRIMINATORS):
            if getattr(GENERATORS.get(name), "judge", None) is None:
                for precision in precisions:
                    assert any(name in x and x.endswith(f", {precision}") for x in lines)
        assert names.count("smoke run") == len(ALGORITHMS)


def test_rollouts_that_end_are_timed_both_ways():
    note = gpu_check.endings("cpu", tiny=True)
    assert re.fullmatch(r"ended rows dropped \d+\.\d{4} s, one graph \d+\.\d{4} s", note)


@pytest.mark.slow
def test_the_whole_program(tmp_path, capsys):
    output = tmp_path / "checks.json"
    assert gpu_check.main(["--device", "cpu", "--tiny", "--output", str(output)]) == 0
    rows = json.loads(output.read_text())["checks"]
    assert len(rows) == 7 and not any(row["failed"] for row in rows)
    assert "7 checks, 0 failed" in capsys.readouterr().out


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

    monkeypatch.setattr("seqgan.cli.main.main", said)
    with pytest.raises(AssertionError, match="could be recorded"):
        gpu_check.run("cpu", [], tmp_path)
