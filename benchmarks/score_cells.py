"""Cells of a suite's table: scores over seeds, and the work behind an arm."""

from __future__ import annotations

import numpy as np

from seqgan.metrics.catalogue import RESIDUAL_GAIN

from .results import Result
from .table import mean_and_spread

__all__ = ["COMPUTE", "compute_columns", "score_cell"]

COMPUTE = (
    "Training: tokens in gradient steps of all models behind an arm; their operations, 10^12 "
    "multiplications and additions, 6 per token and parameter, 4 of a frozen one; minutes. Start "
    "and members are included, but not those of a method whose control an arm is: its rewards are "
    "only as spread out as that method's advantages were. Members that are larger than the policy "
    "make it distillation."
)
UNITS = {
    "tokens": ("training tokens, M", 1e6, ".2f"),
    "operations": ("training operations, T", 1e12, ".3g"),
    "seconds": ("training, min", 60, ".1f"),
}
"""Title, unit and format of each part of `arms.Compute`."""


def score_cell(cells: list[Result], name: str) -> str:
    """Mean and spread of a score over seeds; of one seed, the longer side of its interval."""
    found = [score for cell in cells for score in cell["scores"] if score["name"] == name]
    if not found:
        return ""
    mean = float(np.mean([score["value"] for score in found]))
    intervals = [score["interval"] for score in found if score["interval"] is not None]
    if len(found) > 1:
        text = mean_and_spread([score["value"] for score in found])
        if name != RESIDUAL_GAIN or not intervals:
            return text
        low, high = (min(low for low, _ in intervals), max(high for _, high in intervals))
        return f"{text} [{low:.3f}, {high:.3f}]"
    if not intervals:
        return f"{mean:.3f}"
    low, high = intervals[0]
    return f"{mean:.3f} ± {max(high - mean, mean - low):.3f}"


def compute_columns(arms: list[list[Result]]) -> dict[str, list[str]]:
    """Columns of who an arm's members are and of the work of training, means over seeds.

    Args:
        arms: for each arm its results. A part that none of them knows, as those of an earlier
            version, has no column.
    """
    columns = {}
    if any("members" in cells[0] for cells in arms):
        columns["members × parameters, M"] = [_members(cells[0].get("members")) for cells in arms]
    for key, (title, unit, form) in UNITS.items():
        means = []
        for cells in arms:
            found = [x["compute"][key] for x in cells if key in x.get("compute", {})]
            means.append(float(np.mean(found)) / unit if found else None)
        if any(mean is not None for mean in means):
            columns[title] = ["" if mean is None else f"{mean:{form}}" for mean in means]
    return columns


def _members(found: dict | None) -> str:
    """Number and size of the members of an arm, and a word where they are larger than it."""
    if found is None:
        return ""
    sizes = found["parameters"]
    larger = max(sizes) > found["policy_parameters"]
    return f"{len(sizes)} × {np.mean(sizes) / 1e6:.3g}{' (distillation)' * larger}"
