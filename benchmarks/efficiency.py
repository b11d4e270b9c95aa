"""Sample efficiency over all suites: the validation score against the training behind it.

A round is one gradient step in one method and hundreds in another, so rounds say little. What was
paid for a policy is the training of all models behind it, its start and its ensemble included:
tokens in gradient steps, their operations (which weigh a large network more), or seconds, as a
multiple of what MLE took in the same cell. And the
score is compared with MLE's own, not with round 0: a policy that begins with fresh parameters would
seem to gain the most.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from seqgan.evaluation.primary import title_of
from seqgan.report.drawing import COLOURS, Plot, legend

from .aggregate import interquartile_mean
from .results import Result, grouped

__all__ = ["SIZE", "Curve", "colour", "curve_of", "efficiency"]

PALETTE = (
    "#1f63b5", "#c2451a", "#27804a", "#8a4fb0", "#b58900", "#0f8b8d", "#b03060", "#5c6670",
    "#7a5230", "#4b6b00",
)  # fmt: skip
SIZE = {"width": 6.4, "height": 4.4}
COSTS = {
    "tokens": ("training tokens, times those of MLE", "tokens in gradient steps"),
    "operations": (
        "training operations, times those of MLE",
        "multiplications and additions of these steps",
    ),
    "seconds": ("training time, times that of MLE", "seconds, rollouts and validation included"),
}
"""Costs of a training: the axis, and the words of the caption."""


class Curve(NamedTuple):
    """A run's way.

    Attributes:
        costs: of all training up to each measurement, as a multiple of MLE's.
        scores: validation score minus MLE's best, in percent of MLE's.
    """

    costs: list[float]
    scores: list[float]


def efficiency(size: str, results: list[Result]) -> list[Plot]:
    """For each primary metric a plot for each cost that results know.

    Args:
        size: name.
        results: of that size.
    """
    mle = {(x["suite"], x["seed"]): x for x in results if x["arm"] == "mle"}
    judged = [{**x, "metric": x["verdict"]["metric"]} for x in results if x.get("verdict")]
    plots = []
    for (metric,), of_metric in grouped(judged, "metric").items():
        for cost, (axis, words) in COSTS.items():
            found = {
                arm: (cells, curves)
                for (arm,), cells in grouped(of_metric, "arm").items()
                if (curves := _curves(cells, mle, cost))
            }
            if not found:
                continue
            suites = ", ".join(x for (x,) in grouped(of_metric, "suite"))
            caption = (
                f"Interquartile mean over suites ({suites}) and seeds of the validation score, as "
                "its difference from MLE's best in percent of it: lower is better, 0 is MLE. Below "
                f"it what was paid: {words}, of all models behind the policy, its start included. "
                "A run that stopped early keeps its last value; a line begins where the last of "
                "its runs does."
            )
            paint = partial(_paint, found=found, axis=axis, metric=title_of(metric))
            title = f"Validation score against training, size {size}"
            plots.append(Plot(f"efficiency-{cost}-{metric}-{size}", title, caption, paint, **SIZE))
    return plots


def _curves(cells: list[Result], mle: dict[tuple[str, int], Result], cost: str) -> list[Curve]:
    found = ((cell, mle.get((cell["suite"], cell["seed"]))) for cell in cells)
    curves = (curve_of(cell, other, cost) for cell, other in found if other is not None)
    return [curve for curve in curves if curve is not None]


def curve_of(cell: Result, mle: Result, cost: str) -> Curve | None:
    """The way of one run; None: its result, or MLE's, does not have the figures.

    Args:
        cell: the run.
        mle: the MLE model of the same cell.
        cost: one of `COSTS`.
    """
    lines = (cell.get("curves") or {}).get("validation", ())
    if len(lines) < 2 or any(cost not in line for line in lines):
        return None
    if "sweep" not in mle or not all(each.get("compute", {}).get(cost) for each in (cell, mle)):
        return None
    best = min(point["primary"] for point in mle["sweep"]["validation"])
    # The lines count an arm's own training; what its total has besides came before.
    before = cell["compute"][cost] - lines[-1][cost]
    return Curve(
        [(before + line[cost]) / mle["compute"][cost] for line in lines],
        [100 * (line["score"] - best) / abs(best) for line in lines],
    )


def _paint(
    axes: Axes, found: dict[str, tuple[list[Result], list[Curve]]], axis: str, metric: str
) -> None:
    for arm, (cells, curves) in found.items():
        begin = max(curve.costs[0] for curve in curves)
        places = sorted({x for curve in curves for x in curve.costs if x >= begin})
        means = [
            interquartile_mean({str(i): [_at(curve, x)] for i, curve in enumerate(curves)})
            for x in places
        ]
        axes.plot(places, means, "o-", color=colour(cells), markersize=3, label=arm)
    axes.axhline(0.0, color=COLOURS["mle"], linestyle="--", label="mle")
    axes.set(xlabel=axis, ylabel=f"above MLE on validation, %: {metric}", xscale="log")
    legend(axes)


def _at(curve: Curve, cost: float) -> float:
    """The last score up to a cost."""
    return curve.scores[int(np.searchsorted(curve.costs, cost, side="right")) - 1]


def colour(cells: list[Result]) -> str:
    """An arm's colour: the same in all plots."""
    return PALETTE[cells[0]["place"] % len(PALETTE)]
