"""Interval, p-value and label of a difference: the same rule for a run and for a benchmark.

The input is a difference of a primary metric (ours minus the baseline's; below 0 is better) and its
bootstrap draws. A label asks for both: a p-value below the level, and a difference of practical
size. Interval and p-value come from the same draws in such a way that they never contradict each
other: the p-value is below ``1 - confidence`` exactly where the interval leaves zero out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .primary import PRIMARY

__all__ = [
    "LABELS",
    "Estimate",
    "estimate",
    "label",
    "practical_size",
    "relation",
    "student",
    "unbiased",
]

LABELS = ("better", "not distinguishable", "worse", "not comparable")
RELATIONS = {"better": "better than", "worse": "worse than"}
RELATIVE_SIZE = 1e-3
"""Smaller shares of the baseline's value are of no practical use, however narrow the interval."""
LEAST_NATS = 5e-4
"""Smaller differences in nats are none. Two temperatures of one model would otherwise be told apart
by what matching their diversity leaves."""
LEAST_DRAWS = 200
"""From this number of draws on, percentiles are taken. Fewer know a standard error well (100 draws
to 7%) and a percentile badly, and their smallest p-value, 2 / (draws + 1), would survive no
correction for several tests."""


class Estimate(NamedTuple):
    """A difference and how well it is known.

    Attributes:
        value: the difference.
        low: lower end of its interval.
        high: upper end.
        p_value: two-sided, of the difference being zero.
    """

    value: float
    low: float
    high: float
    p_value: float


def estimate(
    value: float, draws: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> Estimate:
    """Interval and p-value of a difference out of its bootstrap draws.

    With `LEAST_DRAWS` draws or more: the percentile interval (Efron 1979), and as the p-value twice
    the share of draws on the far side of zero, one more counted (Davison and Hinkley 1997). Where
    no draw reaches zero, Student's t of the draws' standard error tells how much smaller than
    2 / (draws + 1) it is. With fewer draws: Student's t alone.

    Args:
        value: the difference of the sequences themselves.
        draws: differences [D] of resamples, two or more, around `value` (see `unbiased`).
        confidence: level of the interval.

    Raises:
        ValueError: there are fewer than two draws.
    """
    array = np.sort(np.asarray(draws, float))
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"two draws or more are needed, got shape {array.shape}")
    normal = student(value, float(array.std(ddof=1)), len(array) - 1, confidence)
    if len(array) < LEAST_DRAWS:
        return normal
    beyond = min(int((array <= 0).sum()), int((array >= 0).sum()))
    p_value = min(1.0, 2 * (beyond + 1) / (len(array) + 1))
    if beyond == 0:
        p_value = min(p_value, normal.p_value)
    # As many draws are cut off as may lie beyond zero while the p-value is below 1 - confidence.
    cut = max(0, math.ceil((1 - confidence) / 2 * (len(array) + 1)) - 2)
    return Estimate(value, float(array[cut]), float(array[-1 - cut]), p_value)


def student(value: float, error: float, freedom: int, confidence: float = 0.95) -> Estimate:
    """Student's t interval and two-sided p-value of a value with a standard error.

    Args:
        value: the value.
        error: its standard error; 0: it is known exactly.
        freedom: degrees of freedom of the error.
        confidence: level of the interval.
    """
    if error == 0:
        return Estimate(value, value, value, float(value == 0))
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(value) / error, freedom))
    return Estimate(value, value - half, value + half, p_value)


def student_mean(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Estimate:
    """The mean of independent values, two or more, with Student's t interval and p-value.

    Args:
        values: [N].
        confidence: level of the interval.
    """
    array = np.asarray(values, float)
    error = float(array.std(ddof=1)) / math.sqrt(len(array))
    return student(float(array.mean()), error, len(array) - 1, confidence)


def unbiased(value: float, draws: Sequence[float] | np.ndarray) -> tuple[float, list[float]]:
    """A biased statistic and its bootstrap draws without their bias (Efron and Tibshirani 1993).

    Draws are as far above the value as the value is above the truth, so that distance is taken off
    the value, and twice off the draws.

    Returns:
        The corrected value, and the draws moved to have it as their mean.
    """
    bias = float(np.mean(draws)) - value
    return value - bias, [float(draw) - 2 * bias for draw in draws]


def practical_size(metric: str, baseline: float) -> float:
    """The smallest difference of a primary metric that is worth a name.

    0.1% of the baseline's value, and 0.0005 nats at least where the metric is in nats.

    Args:
        metric: name of the primary metric.
        baseline: the baseline's value of it.
    """
    relative = RELATIVE_SIZE * abs(baseline)
    return max(relative, LEAST_NATS) if PRIMARY[metric].in_nats else relative


def relation(label: str) -> str:
    """A label as a sentence has it between two models: "better than"."""
    return RELATIONS.get(label, "not distinguishable from")


def label(difference: float, p_value: float, size: float, confidence: float = 0.95) -> str:
    """The label of a difference: better, worse or not distinguishable.

    Args:
        difference: ours minus the baseline's; below 0 is better.
        p_value: of the difference being zero, corrected where several are tested.
        size: the practical size.
        confidence: 1 minus the level of the test.
    """
    if p_value >= 1 - confidence or abs(difference) < size:
        return "not distinguishable"
    return "better" if difference < 0 else "worse"
