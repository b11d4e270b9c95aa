"""A difference over training seeds: its interval, its p-value, and the correction for many tests.

A bootstrap that draws a few seeds anew is too sure of itself: under the null hypothesis three seeds
fall on one side of zero a quarter of the time, and every resample with them. Student's t over the
seeds knows how few they are, but nothing of the sequences within each, nor of a test set that all
of them share. So both are asked, and the answer is the more careful one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqgan.evaluation.significance import estimate, student_mean

__all__ = ["Combined", "combine", "holm"]

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
    test_sets: Sequence[str] | None = None,
) -> Combined:
    """The mean difference over seeds, with interval and p-value.

    The interval covers that of a hierarchical bootstrap (seeds, then sequences: a draw of each seed
    that was drawn) and that of Student's t over the seeds; the p-value is the larger of the two.

    Seeds with one test set are not independent: a test set that suits a method by chance suits it
    with every seed. Their draws number k all used the same rows of it, so a resample takes the same
    number for all of them.

    Args:
        differences: one per seed.
        draws: for each seed the differences that the bootstrap over sequences found, equally many.
        confidence: of the interval.
        seed: of the resampling.
        test_sets: for each seed what names its test set; None: each has its own.

    Raises:
        ValueError: no seed, or not as many rows of draws or test sets as seeds.
    """
    values, table = np.asarray(differences, float), np.asarray(draws, float)
    count = len(values)
    names = list(range(count)) if test_sets is None else list(test_sets)
    if count == 0 or table.ndim != 2 or not len(table) == len(names) == count:
        raise ValueError(
            f"{count} differences, draws of shape {table.shape}, {len(names)} test sets"
        )
    if count == 1:
        return Combined(*estimate(float(values[0]), table[0], confidence), 1)
    rng = np.random.default_rng(seed)
    rows = rng.integers(count, size=(RESAMPLES, count))
    means = table[rows, _columns(rng, rows, names, table.shape[1])].mean(1)
    mean = float(values.mean())
    sequences = estimate(mean, means, confidence)
    seeds = student_mean(values, confidence)
    return Combined(
        mean,
        min(sequences.low, seeds.low),
        max(sequences.high, seeds.high),
        max(sequences.p_value, seeds.p_value),
        count,
    )


def _columns(
    rng: np.random.Generator, rows: np.ndarray, names: Sequence[object], size: int
) -> np.ndarray:
    """The number of each seed's draw in each resample: one for all that share a test set."""
    columns = rng.integers(size, size=rows.shape)
    _, place, sharing = np.unique(
        np.array([str(name) for name in names]), return_inverse=True, return_counts=True
    )
    common = rng.integers(size, size=(len(rows), len(sharing)))
    of = place.reshape(-1)[rows]
    return np.where(sharing[of] > 1, np.take_along_axis(common, of, 1), columns)


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
