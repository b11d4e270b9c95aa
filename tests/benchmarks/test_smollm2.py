"""The benchmark of a pretrained language model: its settings are a run's; a tiny one, whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.smollm2 import command_of, main
from seqgan.cli.main import main as seqgan

from ..small import tiny_language_model


def test_its_settings_are_those_of_a_run(tmp_path, capsys):
    model = tiny_language_model()
    words = command_of(f"{model}/text.txt", model, tmp_path, seed=3)
    assert words[1:4] == ["-m", "seqgan", "run"]
    assert seqgan([*words[3:], "--print_config"]) == 0
    assert "whole_vocabulary: true" in capsys.readouterr().out


@pytest.mark.slow
def test_it_is_killed_resumed_and_told(tmp_path):
    model, out = tiny_language_model(), tmp_path / "found.json"
    main(["--data", f"{model}/text.txt", "--model", model, "--folder", str(tmp_path / "kept"),
          "--output", str(out), "--tiny"])  # fmt: skip
    found = json.loads(out.read_text())
    assert found["killed_after_steps"] >= 1 and found["processor_seconds"] > 0
    kept = found["checkpoint"]
    assert kept["adapters"] == kept["tensors"] > 0 and kept["megabytes"] < 1
    assert [point["temperature"] for point in found["test"]["finetuned"]] == [0.8, 1.0, 1.2]
    text = Path(out.with_suffix(".md")).read_text()
    assert "Verdict: **" in text and "killed after step" in text
