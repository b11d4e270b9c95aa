"""The terms of the reward in the report: a curve each, and the last samples with their rewards."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..evaluation.reward_rows import TITLES
from .drawing import COLOURS, Plot, legend, whole_numbers
from .record import Record

__all__ = ["SampleRewards", "objective_table", "sample_rewards", "term_curves"]

SampleRewards = dict[str, Any]
"""The step of the samples, the columns, and rows of cells with a sample at the end of each."""


def term_curves(record: Record) -> list[Plot]:
    """For each term of the reward the mean and the spread over the samples of a step."""
    lines = record.log.get("adversarial", [])
    keys = dict.fromkeys(key for line in lines for key in line)  # a later stage has others
    names = [
        key.removeprefix("reward_")
        for key in keys
        if key.startswith("reward_") and not key.endswith("_sd")
    ]
    return [
        Plot(
            f"reward-{name}",
            f"Rounds: {name}",
            f"The term {name} of the reward, neither weighted nor shaped: mean of the samples of a "
            "step, and one standard deviation to either side.",
            partial(_paint, lines=lines, name=name),
        )
        for name in names
    ]


def _paint(axes: Axes, lines: list[dict[str, Any]], name: str) -> None:
    steps = [line["step"] for line in lines]
    mean, spread = (
        np.array([float(line.get(key, "nan")) for line in lines])
        for key in (f"reward_{name}", f"reward_{name}_sd")
    )
    colour = COLOURS["finetuned"]
    axes.fill_between(
        steps, mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0, label="spread"
    )
    axes.plot(steps, mean, color=colour, label="mean of the batch")
    axes.set_xlabel("policy gradient step")
    axes.set_ylabel(name)
    whole_numbers(axes)
    legend(axes)


def objective_table(record: Record) -> dict[str, Any] | None:
    """The verdict by a reward of the user's: label, sentence, columns and rows; None: none."""
    found = record.results.get("objective")
    if not found:
        return None
    rows = [
        [
            TITLES.get(row["name"], row["name"]),
            f"{row['reward']:.4f} [{row['low']:.4f}, {row['high']:.4f}]",
            f"{row['unique']:.1%}", f"{row['novel']:.1%}", f"{row['kl']:.2f}", f"{row['calls']:,}",
        ]
        for row in found["rows"]
    ]  # fmt: skip
    columns = ["Model", "Mean reward", "Distinct", "New", "KL to MLE, nats", "Reward calls"]
    return {
        "label": found["label"],
        "sentence": found["sentence"],
        "columns": columns,
        "rows": rows,
    }


def sample_rewards(record: Record) -> SampleRewards | None:
    """The last samples that were shown in training, with their rewards; None: there were none."""
    lines = record.log.get("samples")
    if not lines:
        return None
    last = lines[-1]
    names = list(last["samples"][0]["terms"])
    rows = [
        [
            *(
                "abstains" if value is None else f"{value:.4f}"
                for value in (each["reward"], *(each["terms"][name] for name in names))
            ),
            each["text"],
        ]
        for each in last["samples"]
    ]
    return {"step": last["step"], "columns": ["reward", *names, "sample"], "rows": rows}
