"""The best MLE of a suite: the row that every table begins with.

MLE is no single number: the shared model can be sampled at a temperature, by top-p or with
rejection, and beside it stand larger models, averaged weights, the best of several seeds. The model
that is best on validation over its temperatures is chosen, in its best way of sampling, and named.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .results import Result, grouped
from .table import mean_and_spread

__all__ = ["BestMLE", "best_mle", "shared_mle"]

SHARED = "mle"
"""The model that the arms of a cell share, and are compared with."""


class BestMLE(NamedTuple):
    """An MLE model at its best on validation.

    Attributes:
        arm: its name.
        values: the primary metric on the test split, of each seed.
        ways: how it was sampled, of each seed, in words; empty where results do not say.
        validation: the lowest primary metric on validation over the temperatures, mean over seeds.
    """

    arm: str
    values: list[float]
    ways: list[str]
    validation: float

    def __str__(self) -> str:
        told = [] if self.arm == SHARED else [self.arm]
        told += dict.fromkeys(way for way in self.ways if way)
        return f"{mean_and_spread(self.values, 4)} ({'; '.join(told)})"


def best_mle(results: list[Result]) -> BestMLE | None:
    """The MLE arm that is best on validation, over all seeds; None: there is none.

    Arms that lack a seed of the shared model are no candidates.

    Args:
        results: of one suite and size.
    """
    shared = shared_mle(results)
    if shared is None:
        return None
    found = [shared]
    for (arm,), cells in grouped(results, "arm").items():
        swept = [cell for cell in cells if "sweep" in cell and cell.get("verdict")]
        if arm.startswith(f"{SHARED}-") and len(swept) == len(shared.values):
            verdicts = [cell["verdict"] for cell in swept]
            values = [verdict["finetuned_value"] for verdict in verdicts]
            ways = [verdict.get("finetuned_way", "") for verdict in verdicts]
            found.append(BestMLE(arm, values, ways, _validation(swept)))
    return min(found, key=lambda each: each.validation)


def shared_mle(results: list[Result]) -> BestMLE | None:
    """The shared MLE model in the way of sampling that is best on validation.

    Comparisons know all ways, the arm's own result the temperatures alone.

    Args:
        results: of one suite and size.
    """
    cells = [result for result in results if result["arm"] == SHARED and "sweep" in result]
    if not cells:
        return None
    values, ways = [], []
    for cell in cells:
        known = _as_compared(results, cell["seed"])
        if known is None:
            points = cell["sweep"]["validation"]
            at = int(np.argmin([point["primary"] for point in points]))
            known = cell["sweep"]["test"][at]["primary"], ""
            if "temperature" in points[at]:
                known = known[0], f"temperature {points[at]['temperature']:g}"
        values.append(known[0])
        ways.append(known[1])
    return BestMLE(SHARED, values, ways, _validation(cells))


def _as_compared(results: list[Result], seed: int) -> tuple[float, str] | None:
    """Value and way of the shared model at its best, by the first comparison that has them.

    A control is compared with half of the samples.
    """
    for result in results:
        verdict = result.get("verdict") or {}
        if result["seed"] == seed and result["control_of"] is None:
            if verdict.get("mle_best_value") is not None:
                return verdict["mle_best_value"], verdict["mle_best_way"]
    return None


def _validation(cells: list[Result]) -> float:
    lowest = [min(point["primary"] for point in cell["sweep"]["validation"]) for cell in cells]
    return float(np.mean(lowest))
