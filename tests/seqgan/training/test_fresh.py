"""Samples of trainings that judge none of their own: MLE, and gradients through samples."""

from __future__ import annotations

import json

from seqgan.cli.main import main

from ..tiny import OF_POLICY_GRADIENT, TINY, without, without_report


def test_a_gan_from_noise_shows_samples_with_their_rewards(tmp_path, monkeypatch):
    without_report(monkeypatch)
    run = tmp_path / "run"
    flags = ["--method", "minimax-gan", "--evaluation.control", "false", "--evaluation.show", "3"]
    flags += without(TINY, *OF_POLICY_GRADIENT)
    assert main(["run", *flags, "--output_dir", str(run)]) == 0
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    shown = [line for line in lines if line["stage"] == "samples"]
    measured = [line for line in lines if line["stage"] == "validation"]
    assert len(shown) == len(measured) > 1
    assert all(isinstance(each["reward"], float) for each in shown[-1]["samples"])
    assert len(shown[-1]["samples"]) == 3 and shown[0] != shown[1]
    before = [line for line in lines if line["stage"] == "mle-samples"]
    assert [line["step"] for line in before] == [1, 2]  # epochs
    assert {each["reward"] for line in before for each in line["samples"]} == {None}
    assert b"mle-samples/table" in next(run.glob("events.out.tfevents*")).read_bytes()
