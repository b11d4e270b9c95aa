"""A model's samples by a reward of the user's own: a row of the verdict.

Shapes: N samples, K terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

__all__ = ["TITLES", "RewardRow", "Rewarded", "mean_row"]

TITLES = {
    "mle": "MLE",
    "best-of-n": "best of n of MLE",
    "best-tenth": "MLE on the best tenth",
    "finetuned": "fine-tuned",
}


@dataclass
class Rewarded:
    """Rewards of samples.

    Attributes:
        total: rewards [N].
        terms: for each term its values [N], neither weighted nor shaped, NaN where it abstains.
    """

    total: np.ndarray
    terms: dict[str, np.ndarray] = field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """The mean value of each term that does not abstain throughout."""
        known = {name: values[~np.isnan(values)] for name, values in self.terms.items()}
        return {name: float(values.mean()) for name, values in known.items() if len(values)}


@dataclass(frozen=True)
class RewardRow:
    """A model's samples by their reward.

    Attributes:
        name: key of `TITLES`.
        reward: mean.
        error: standard error of the mean.
        low: end of the interval.
        high: the other end.
        unique: share of distinct samples.
        novel: share of samples that are no training sequence.
        kl: divergence from MLE, nats per sequence; of the best of n an upper bound.
        calls: sequences that were judged to make the model, its samples not counted.
        terms: mean value of each term, neither weighted nor shaped.
    """

    name: str
    reward: float
    error: float
    low: float
    high: float
    unique: float
    novel: float
    kl: float
    calls: int
    terms: dict[str, float] = field(default_factory=dict)


def mean_row(
    name: str, rewards: np.ndarray, unique: float, novel: float, kl: float, calls: int,
    confidence: float,
) -> RewardRow:  # fmt: skip
    """A row from the rewards [N] of samples, with a normal interval of the mean."""
    mean = float(rewards.mean())
    error = float(rewards.std(ddof=1)) / math.sqrt(len(rewards))
    reach = float(norm.ppf(0.5 + confidence / 2)) * error
    return RewardRow(name, mean, error, mean - reach, mean + reach, unique, novel, kl, calls)
