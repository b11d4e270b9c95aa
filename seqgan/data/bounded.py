"""A bound on the real sequences that are measured again and again, for time and memory.

A test split of a hundred thousand sequences tells hardly more than twenty thousand of them, and a
comparison scores it with two models at every temperature. So what exceeds a limit is drawn from at
random, once, and everything that measures sees the same sequences. Runs with other seeds and the
same split see the same ones too: seeds that share all of a test set can be put together, seeds that
share a part of it cannot. What the models are trained on is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from rollout import Sequences

from ..config import EvaluationConfig
from ..seeding import rng_for
from .dataset import Dataset
from .text.rows import chosen_rows

__all__ = ["bounded"]


def bounded(data: Dataset, config: EvaluationConfig) -> Dataset:
    """The data set with no more real sequences to measure on than the settings allow.

    Args:
        data: the data set.
        config: `num_real` is the limit of the test split, `num_validation` that of the validation
            and of the held-out split.

    Returns:
        The data set itself where nothing exceeds a limit. Otherwise one with smaller splits, their
        sequences in the order of the file, whose report says for each split how many are
        ``measured``.
    """
    limits = {
        "validation": config.num_validation,
        "heldout": config.num_validation,
        "test": config.num_real,
    }
    splits: dict[str, Sequences] = {name: getattr(data, name) for name in limits}
    rows = {
        name: torch.randperm(len(split), generator=rng_for(0, "measured", name))[: limits[name]]
        .sort()
        .values
        for name, split in splits.items()
        if 0 < limits[name] < len(split)
    }
    if not rows:
        return data
    splits |= {name: splits[name].select(chosen) for name, chosen in rows.items()}

    def real_tokens(name: str) -> Sequence[list[Any]]:
        tokens = data.real_tokens(name)
        return chosen_rows(tokens, rows[name].tolist()) if name in rows else tokens

    labels = {
        name: found[rows[name]] if name in rows else found for name, found in data.labels.items()
    }
    measured = {name: len(split) for name, split in splits.items()}
    return replace(
        data,
        validation=splits["validation"],
        heldout=splits["heldout"],
        test=splits["test"],
        real_tokens=real_tokens,
        labels=labels,
        report=_report(data.report, measured),
        report_lines=[*data.report_lines, _line(data, measured)],
    )


def _report(report: dict[str, Any], measured: dict[str, int]) -> dict[str, Any]:
    """The report of a data set, and for each split how many of its sequences are measured."""
    before = report.get("splits", {})
    splits = {
        name: {**split, "measured": measured[name]} if name in measured else split
        for name, split in before.items()
    }
    return {**report, "splits": splits}


def _line(data: Dataset, measured: dict[str, int]) -> str:
    """A line about what is measured, for people."""
    parts = [f"{n:,} of {len(getattr(data, name)):,} {name}" for name, n in measured.items()]
    return (
        f"Measured on {', '.join(parts)} sequences, drawn at random (--evaluation.num_real, "
        "--evaluation.num_validation)"
    )
