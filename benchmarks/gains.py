"""Gains over MLE in one unit: what may be averaged over suites, and what may not.

A tenth of a nat of held-out likelihood and a tenth of a Frechet distance cannot be averaged, and a
percent of MLE's own value is no common measure either: of a likelihood, most of the value is what
no model can ever save. So a gain is a share of the distance between MLE and the source itself, if
that is known. Suites where it is not have a table of their own, with shares of MLE's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seqgan.evaluation.primary import PRIMARY

from .aggregate import Runs, Sampled
from .results import Result, grouped

__all__ = ["UNITS", "Gains", "floor_of", "gains", "values"]

UNITS = {
    "distance": "the distance between MLE and the source",
    "value": "MLE's value",
}
"""Wholes that a gain is a share of."""


class Gains(NamedTuple):
    """Gains of the arms over MLE in the suites of one unit, in percent: higher is better.

    Attributes:
        arms: for each arm its gains in the suites where all seeds are comparable.
        lacking: for each arm the suites where it is not comparable with MLE in some seed, or where
            its seeds have different metrics.
    """

    arms: dict[str, dict[str, Sampled]]
    lacking: dict[str, list[str]]


def gains(results: list[Result]) -> dict[str, Gains]:
    """Gains by unit; units without a suite are left out.

    Two suites with the same metric on the same test sets are one measurement (data that are judged
    by another metric only at a larger size), and count once.

    Args:
        results: of one size.
    """
    judged = [result for result in results if result.get("verdict") is not None]
    floors = {
        (result["suite"], result["seed"]): {x["name"]: x["value"] for x in result["scores"]}
        for result in results
        if result["arm"] == "real"
    }
    found: dict[str, Gains] = {}
    for (suite,), cells in grouped(judged, "suite").items():
        known = {id(cell): floor_of(cell, floors) for cell in cells}
        unit = "distance" if all(_apart(cell, known[id(cell)]) for cell in cells) else "value"
        of_unit = found.setdefault(unit, Gains({}, {}))
        for (arm,), seeds in grouped(cells, "arm").items():
            if not _comparable(seeds):
                of_unit.lacking.setdefault(arm, []).append(suite)
                continue
            scores = _sampled(seeds, [known[id(x)] if unit == "distance" else None for x in seeds])
            if not any(_same(scores, other) for other in of_unit.arms.get(arm, {}).values()):
                of_unit.arms.setdefault(arm, {})[suite] = scores
    return {unit: found[unit] for unit in UNITS if unit in found}


def values(arm: dict[str, Sampled]) -> Runs:
    """The scores of an arm without their resamples."""
    return {suite: list(scores.values) for suite, scores in arm.items()}


def floor_of(cell: Result, real: dict[tuple[str, int], dict[str, float]]) -> float | None:
    """The primary metric of the source itself in a cell; None: it is unknown.

    Args:
        cell: a result with a verdict.
        real: for each suite and seed the scores of real data.
    """
    metric = PRIMARY.get(cell["verdict"]["metric"])
    if metric is None:
        return None
    return metric.ceiling(cell.get("real") or {}, real.get((cell["suite"], cell["seed"]), {}))


def _apart(cell: Result, floor: float | None) -> bool:
    """Tells if the distance between MLE and the source is known and no less than nothing."""
    mle = cell["verdict"]["mle_value"]
    return floor is not None and (mle is None or mle > floor)


def _comparable(seeds: list[Result]) -> bool:
    verdicts = [cell["verdict"] for cell in seeds]
    metrics = {verdict["metric"] for verdict in verdicts}
    return len(metrics) == 1 and all(verdict["difference"] is not None for verdict in verdicts)


def _sampled(seeds: list[Result], floors: list[float | None]) -> Sampled:
    """The gains of an arm's seeds in percent, with their resamples."""
    values, draws = [], []
    for cell, floor in zip(seeds, floors, strict=True):
        verdict = cell["verdict"]
        mle = verdict["mle_value"]
        whole = abs(mle) if floor is None else mle - floor
        values.append(-100 * verdict["difference"] / whole)
        draws.append([-100 * draw / whole for draw in verdict["draws"]])
    return Sampled(values, draws, list(_test_sets(seeds)))


def _test_sets(seeds: list[Result]) -> Iterator[str]:
    """Yields what names each seed's test set; results of earlier versions do not say."""
    for cell in seeds:
        yield cell["verdict"].get("test_set") or f"{cell['suite']} {cell['seed']}"


def _same(one: Sampled, other: Sampled) -> bool:
    """Tells if two suites of an arm are one measurement."""
    return one.test_sets == other.test_sets and one.values == other.values
