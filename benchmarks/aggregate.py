"""Scores over suites and seeds together: what one number may say of an arm, and how sure it is.

A mean over suites is ruled by one suite where an arm breaks down, a median by none of the others.
The interquartile mean leaves out a quarter on either side. Source: Agarwal et al. (2021), Deep
Reinforcement Learning at the Edge of the Statistical Precipice; the same definitions as rliable's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

__all__ = [
    "Estimate",
    "interquartile_mean",
    "performance_profile",
    "probability_of_improvement",
    "stratified_bootstrap",
]

Runs = Mapping[str, Sequence[float]]
"""For each suite the score of every seed: higher is better."""

RESAMPLES = 1_000


class Estimate(NamedTuple):
    """A number with the interval of the bootstrap.

    Attributes:
        value: the number.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float


def interquartile_mean(runs: Runs) -> float:
    """The mean of all suites' and seeds' scores without the lowest and the highest quarter.

    Of n scores ``floor(n / 4)`` are left out on either side.
    """
    return float(stats.trim_mean(np.concatenate([list(each) for each in runs.values()]), 0.25))


def probability_of_improvement(runs: Runs, others: Runs) -> float:
    """The probability that a run is above one of `others` in a suite drawn at random.

    P(X > Y) + P(X = Y) / 2 over all pairs of a suite's seeds (Mann and Whitney), then the mean over
    suites.

    Raises:
        ValueError: the two were not run in the same suites.
    """
    if set(runs) != set(others):
        raise ValueError(f"suites {sorted(runs)} beside {sorted(others)}")
    found = []
    for suite, scores in runs.items():
        difference = np.subtract.outer(np.asarray(scores, float), np.asarray(others[suite], float))
        found.append(np.mean((difference > 0) + 0.5 * (difference == 0)))
    return float(np.mean(found))


def performance_profile(runs: Runs, thresholds: Sequence[float] | np.ndarray) -> np.ndarray:
    """The share of runs above each threshold: the mean over suites and seeds, each run as much.

    Returns:
        Shares [thresholds].
    """
    scores = np.concatenate([list(each) for each in runs.values()])
    return (scores[None] > np.asarray(thresholds, float)[:, None]).mean(1)


def stratified_bootstrap(
    statistic: Callable[..., float], *groups: Runs, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """A statistic of runs with its percentile interval: seeds are drawn anew within each suite.

    Suites stay as they are: the interval says how much other seeds would move the number, not what
    other suites would show. With three seeds it is too narrow.

    Args:
        statistic: of one or several groups of runs.
        groups: the runs.
        confidence: of the interval.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    tables = [{suite: _resampled(rng, scores) for suite, scores in x.items()} for x in groups]
    drawn = [
        statistic(*({suite: rows[k] for suite, rows in table.items()} for table in tables))
        for k in range(RESAMPLES)
    ]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Estimate(statistic(*groups), float(low), float(high))


def _resampled(rng: np.random.Generator, scores: Sequence[float]) -> np.ndarray:
    """A suite's scores with its seeds drawn anew [resamples, seeds]."""
    return np.asarray(scores, float)[rng.integers(len(scores), size=(RESAMPLES, len(scores)))]
