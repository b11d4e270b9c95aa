"""A difference over training seeds: its interval, its p-value, and the correction for many tests.

A bootstrap that draws a few seeds anew is too sure of itself: under the null hypothesis three seeds
fall on one side of zero a quarter of the time, and every resample with them. Student's t over the
seeds knows how few they are, but nothing of the sequences within each. So both are asked, and the
answer is the more careful one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

__all__ = ["Combined", "combine", "holm", "student_interval", "tail_p_value"]

RESAMPLES = 10_000


class Combined(NamedTuple):
    """A mean difference over seeds.

    Attributes:
        difference: the mean of the seeds' differences.
        low: lower end of its interval.
        high: upper end.
        p_value: two-sided, of the difference being zero.
        seeds: how many there are; of one, the interval is over sequences alone.
    """

    difference: float
    low: float
    high: float
    p_value: float
    seeds: int


def combine(
    differences: Sequence[float],
    draws: Sequence[Sequence[float]],
    confidence: float = 0.95,
    seed: int = 0,
) -> Combined:
    """The mean difference over seeds, with interval and p-value.

    The interval covers that of a hierarchical bootstrap (seeds, then sequences: a draw of each seed
    that was drawn) and that of Student's t over the seeds; the p-value is the larger of the two.

    Args:
        differences: one a seed.
        draws: for each seed the differences that the bootstrap over sequences found, equally many.
        confidence: of the interval.
        seed: of the resampling.

    Raises:
        ValueError: no seed, or not as many rows of draws as seeds.
    """
    values, table = np.asarray(differences, float), np.asarray(draws, float)
    if len(values) == 0 or table.ndim != 2 or len(table) != len(values):
        raise ValueError(f"{len(values)} differences and draws of shape {table.shape}")
    tail = (1 - confidence) / 2
    if len(values) == 1:
        low, high = np.quantile(table[0], [tail, 1 - tail])
        return Combined(float(values[0]), float(low), float(high), tail_p_value(table[0]), 1)
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(values), size=(RESAMPLES, len(values)))
    columns = rng.integers(table.shape[1], size=rows.shape)
    means = table[rows, columns].mean(1)
    low, high = np.quantile(means, [tail, 1 - tail])
    t_low, t_high, t_p = student_interval(values, confidence)
    return Combined(
        float(values.mean()),
        float(min(low, t_low)),
        float(max(high, t_high)),
        max(tail_p_value(means), t_p),
        len(values),
    )


def student_interval(
    values: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Student's t interval of a mean of two values or more, and its p-value against zero."""
    array = np.asarray(values, float)
    mean, error = float(array.mean()), float(stats.sem(array))
    freedom = len(array) - 1
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    if error == 0:
        return mean, mean, float(mean == 0)
    return mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, freedom))


def tail_p_value(draws: Sequence[float] | np.ndarray) -> float:
    """Twice the share of bootstrap draws on the far side of zero, one more counted (Davison 1997).

    It is below 1 - confidence about where the percentile interval leaves zero out, and never zero.
    """
    array = np.asarray(draws, float)
    beyond = min(int((array <= 0).sum()), int((array >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(array) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): p-values that can be compared with the level as they are.

    The i-th smallest of m is multiplied by m - i + 1; none may be below one before it, nor above 1.
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(order)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * float(p_values[i])))
        corrected[i] = largest
    return corrected
