"""Scores over suites and seeds together: what one number may say of an arm, and how sure it is.

A mean over suites is ruled by one suite where an arm breaks down, a median by none of the others.
The interquartile mean leaves out a quarter on either side. Source: Agarwal et al. (2021), Deep
Reinforcement Learning at the Edge of the Statistical Precipice; the same definitions as rliable's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = [
    "Estimate",
    "Sampled",
    "interquartile_mean",
    "performance_profile",
    "probability_of_improvement",
    "stratified_bootstrap",
]

Runs = Mapping[str, Sequence[float]]
"""For each suite the score of every seed: higher is better."""

RESAMPLES = 1_000


@dataclass(frozen=True)
class Sampled:
    """The scores of an arm in a suite, with what a bootstrap over sequences makes of them.

    Attributes:
        values: of each seed.
        draws: for each seed the scores of its resamples of sequences; empty: scores are exact.
        test_sets: for each seed what names its test set.
    """

    values: Sequence[float]
    draws: Sequence[Sequence[float]] = ()
    test_sets: Sequence[str] = ()


Group = Mapping[str, Sampled]
"""For each suite an arm's scores."""


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
    scores = np.sort(np.concatenate([np.asarray(each, float) for each in runs.values()]))
    out = len(scores) // 4
    return float(scores[out : len(scores) - out].mean())


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
    statistic: Callable[..., float], *groups: Group, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """A statistic of runs with its percentile interval: seeds are drawn anew within each suite.

    With every seed one of its resamples of sequences is drawn. Draws number k used the same rows of
    a test set, whatever the seed, the arm or the suite. So a resample takes one number for all that
    share a test set: a test set that suits an arm by chance suits it with every seed.

    Suites stay as they are: the interval says how much other seeds and sequences would move the
    number, not what other suites would show. With three seeds it is too narrow. Seeds whose scores
    are exact, without draws, are resampled as rliable does it.

    Args:
        statistic: of one or several groups of runs.
        groups: for each suite the scores of an arm.
        confidence: of the interval.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    names = {name for x in groups for scores in x.values() for name in scores.test_sets}
    places = {name: rng.random(RESAMPLES) for name in sorted(names)}
    tables = [
        {suite: _resampled(rng, scores, places) for suite, scores in x.items()} for x in groups
    ]
    drawn = [
        statistic(*({suite: rows[k] for suite, rows in table.items()} for table in tables))
        for k in range(RESAMPLES)
    ]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    whole = ({suite: scores.values for suite, scores in x.items()} for x in groups)
    return Estimate(statistic(*whole), float(low), float(high))


def _resampled(
    rng: np.random.Generator, scores: Sampled, places: Mapping[str, np.ndarray]
) -> np.ndarray:
    """A suite's scores with its seeds drawn anew [resamples, seeds].

    Args:
        rng: of the seeds.
        scores: the suite's.
        places: for each test set the place of every resample's draw, from 0 to 1 [resamples].
    """
    count = len(scores.values)
    rows = rng.integers(count, size=(RESAMPLES, count))
    table = np.tile(np.asarray(scores.values, float), (RESAMPLES, 1))
    for i, draws in enumerate(scores.draws):
        numbers = (places[scores.test_sets[i]] * len(draws)).astype(int)
        table[:, i] = np.asarray(draws, float)[numbers]
    return np.take_along_axis(table, rows, 1)
