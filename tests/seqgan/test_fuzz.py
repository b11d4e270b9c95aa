"""Files broken in every way end in an error of ours; see `fuzz`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seqgan.config.kinds import of_kind
from seqgan.config.reading import run_config
from seqgan.errors import CheckpointError, ConfigError

ROOT = Path(__file__).parents[2]


def fuzzed(inputs: int, timeout: int) -> str:
    """`fuzz` in a process of its own, whose audit hook cannot be taken off again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.seqgan.fuzz", "--inputs", str(inputs)],
        cwd=ROOT, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_some_broken_files():
    printed = fuzzed(100, 200)
    for kind in ("readers", "vocabulary", "settings", "checkpoints"):
        assert f'"{kind}: refused, ' in printed, printed


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_a_hundred_thousand_broken_files():
    assert "100000 inputs" in (printed := fuzzed(100_000, 5300))
    assert "written outside or imported: 0 " in printed


@pytest.mark.parametrize(
    ("value", "hint", "fits"),
    [
        (1, int, True), (True, int, False), (1, float, True), (True, float, False),
        ("1", int, False), (None, str | None, True), (1, str | None, False),
        ([0.5, 1], list[float], True), ([0.5, "x"], list[float], False), (0.5, list[float], False),
        ([1], tuple[int, ...] | list[int], True), (True, bool | str, True), (2, bool | str, False),
    ],
)  # fmt: skip
def test_kinds(value, hint, fits):
    assert of_kind(value, hint) is fits


def test_settings_of_the_wrong_kind_are_named():
    with pytest.raises(ConfigError, match="^a.yaml: --pretrain.epochs: 'x' is not a whole number"):
        run_config({"pretrain": {"epochs": "x"}}, "a.yaml")
    with pytest.raises(ConfigError, match="^a.yaml: --data: 5 is not text"):
        run_config({"data": 5}, "a.yaml")


def test_a_model_that_claims_to_be_huge_is_not_made(tmp_path):
    import json

    from seqgan.config import LSTM
    from seqgan.data.dataset import TokenSpec
    from seqgan.models import load_generator, make_generator, save_model

    spec = TokenSpec(6, 0, 1, 2, 4, (0, 2))
    save_model(make_generator(LSTM(embedding=2, hidden=3), spec, 0), tmp_path / "g")
    good = json.loads((tmp_path / "g.json").read_text())
    for part, change, message in (
        ("settings", {"hidden": 10**9}, "--generator.hidden: 1,000,000,000 is above 100,000"),
        ("settings", {"hidden": 10**5}, "parameters of other shapes"),
        ("settings", {"layers": 100}, "parameters of other shapes"),
        ("spec", {"vocab_size": 10**12}, "parameters of other shapes"),
        ("spec", {"vocab_size": 10**30}, "does not fit"),
        ("spec", {"pad_id": 6}, "out of range"),
        ("spec", {"forbidden": [-1]}, "out of range"),
        ("spec", {"max_length": 0}, "out of range"),
        ("spec", {"max_length": "4"}, "token ids are whole numbers"),
        ("spec", {"eos_id": True}, "token ids are whole numbers"),
        ("settings", {"__class__": 1}, "unknown setting 'generator.__class__'"),
        ("settings", {"hidden": 4}, "parameters of other shapes"),
    ):
        changed = good | {part: good[part] | change}
        (tmp_path / "g.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=message):
            load_generator(tmp_path / "g")
