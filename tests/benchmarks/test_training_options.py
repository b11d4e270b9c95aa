"""The benchmark of training options, on a tiny size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import training_options
from benchmarks.training_options import (
    BASELINE,
    MEASURES,
    OPTIONS,
    SIZES,
    _names,
    main,
    settings_of,
    table,
)
from rollout import Sequences
from seqgan.config import RunConfig
from seqgan.config.recipes import merge
from tests.rollout.chains import Chain


def test_a_table_by_hand():
    runs = [
        {"stage": "mle", "option": name, "seed": seed, "value": value}
        for name, values in ((BASELINE, (2.0, 3.0)), ("A", (1.9, 2.9)), ("B", (2.1, 2.9)))
        for seed, value in enumerate(values)
    ]
    lines = table(runs).splitlines()
    assert "| without | 2.5000 | | |" in lines
    # equal differences: known exactly
    assert "| A | 2.4000 | -0.1000 [-0.1000, -0.1000] | measurable |" in lines
    # +0.1 and -0.1: error 0.1, t 12.706 with one degree of freedom
    assert "| B | 2.5000 | +0.0000 [-1.2706, +1.2706] | nothing measurable |" in lines


def test_the_docs_have_the_committed_figures_of_precisions():
    root = Path(__file__).parents[2]
    content = json.loads((root / "benchmarks" / "results" / "precision.json").read_text())
    rows = [line for line in table(content["runs"]).splitlines() if line.startswith("| ")]
    assert len(rows) == 3 and "\n".join(rows[1:]) in (root / "docs" / "speed.md").read_text()


def test_the_nll_is_measured_in_32_bits(monkeypatch):
    """TF32 is set for the training of a model; its measurement sets it back."""
    seen = []
    monkeypatch.setattr(
        training_options, "set_matmul_precision", lambda device, precision: seen.append(precision)
    )
    monkeypatch.setattr(training_options, "token_nll", lambda *given: seen.append("measured"))
    training_options._nll(Chain(torch.zeros(4, 3), 2), Sequences.from_lists([[0, 1]], 0))
    assert seen == ["highest", "measured"]


def test_precisions_by_device():
    assert _names("precision", "cpu") == ["bf16"]
    assert _names("precision", "cuda") == ["bf16", "fp16", "TF32"]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_settings_of_every_option_are_some(name):
    stage, own, _ = OPTIONS[name]
    assert stage in MEASURES
    smiles = "molecules.smi" if stage == "molecules" else None
    for size in SIZES:
        config = RunConfig(**merge(settings_of(size, smiles), own))
        assert stage == "tasks" or config != RunConfig(**settings_of(size, smiles))


def test_other_atoms_to_begin_a_molecule_with(tmp_path):
    pytest.importorskip("rdkit")
    file = tmp_path / "molecules.smi"
    lines = [f"{'C' * i}{end}" for i in range(1, 13) for end in ("O", "N", "F", "(=O)O", "C#N")]
    file.write_text("".join(f"{line}\n" for line in lines))
    out = tmp_path / "options.json"
    words = ["--output", str(out), "--size", "tiny", "--only", "molecules", "--seeds", "1"]
    main([*words, "--smiles", str(file)])
    found = json.loads(out.read_text())["runs"]
    assert [each["option"] for each in found] == [BASELINE, "random SMILES"]


@pytest.mark.parametrize("stage", ["mle", "precision", "discriminator", "rounds", "tasks"])
def test_every_option_runs_and_continues(stage, tmp_path, capsys, monkeypatch):
    names = _names(stage, "cpu")[-2:]
    few = {name: OPTIONS[name] for name in names}
    monkeypatch.setattr("benchmarks.training_options.OPTIONS", few)
    out = tmp_path / "options.json"
    arguments = ["--output", str(out), "--size", "tiny", "--only", stage]
    main([*arguments, "--seeds", "1"])
    assert f"estimate: {len(names)} more runs of" in capsys.readouterr().out
    found = json.loads(out.read_text())["runs"]
    assert [each["option"] for each in found] == [BASELINE, *names]
    assert all(abs(each["value"]) < 100 for each in found)
    main([*arguments, "--seeds", "1"])
    assert json.loads(out.read_text())["runs"] == found  # nothing is done again
    assert all(name in out.with_suffix(".md").read_text() for name in names)
