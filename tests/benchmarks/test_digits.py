"""The measurement of digits: its settings, and the file and the picture that it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import digits
from seqgan.config import RunConfig


@pytest.mark.parametrize("method", digits.METHODS)
def test_every_method_has_the_same_mle(method):
    config = RunConfig(**digits.settings_of(method), output_dir="somewhere")
    first = RunConfig(**digits.settings_of(digits.METHODS[0]), output_dir="somewhere")
    assert config.method == method and config.pretrain == first.pretrain
    assert config.evaluation == first.evaluation
    own = {**vars(config.generator), "noise": 0}
    assert own == vars(first.generator) and config.generator.grid


def test_the_page_has_the_figures_of_the_result():
    root = Path(__file__).parents[2]
    found = json.loads((root / "benchmarks" / "results" / "digits.json").read_text())
    page = (root / "docs" / "digits.md").read_text()
    assert f"> {found['sentence']}\n" in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    for name in ("nll", "picture-distance", "class-accuracy", "class-confidence"):
        wanted = [
            _cell(found["scores"][model].get(name)) for model in ("mle", "finetuned", "control")
        ]
        assert any(row[1:4] == wanted for row in rows)


def _cell(score):
    low, high = score["interval"]
    return f"{score['value']:.3f} [{low:.3f}, {high:.3f}]"


@pytest.mark.slow
def test_it_writes_figures_and_the_picture_of_a_method(tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="needs the extra digits")
    small = {
        "size": "smoke",
        "generator": {"architecture": "lstm", "hidden": 8, "embedding": 8, "grid": True},
        "pretrain": {"epochs": 1},
        "adversarial": {"rounds": 1, "generator_steps": 1, "critic_steps": 1},
        "critic": {"steps": 2, "negatives": 20},
        "evaluation": {"num_samples": 20, "sweep_samples": 20, "resamples": 20, "control": False},
    }
    monkeypatch.setattr(digits, "SETTINGS", {**digits.SETTINGS, **small})
    monkeypatch.setattr(digits, "NOISE", 2)
    output = tmp_path / "digits.json"
    command = ["digits", "--method", "minimax-gan", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", [*command, "--pictures", str(tmp_path)])
    digits.main()
    found = json.loads(output.read_text())
    assert found["settings"]["method"] == "minimax-gan" and found["seconds"] > 0
    assert "class-accuracy" in found["scores"]["finetuned"]
    assert found["adversarial"]["rounds"] == 1 and found["verdict"]
    pictures = [path.name for path in tmp_path.glob("*.png")]
    assert pictures == ["digits-minimax-gan-finetuned.png"]
