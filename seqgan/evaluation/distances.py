"""Frechet distances of samples from real sequences, in a space of features.

Shapes: N sequences, E numbers of a feature vector.
"""

from __future__ import annotations

import numpy as np
import torch

from rollout import Sequences

from ..data.dataset import Dataset, random_rows
from ..metrics import Score, frechet_distance, frechet_interval, signature
from ..metrics.embedding import FRECHET_RESAMPLES
from ..seeding import derive_seed
from .scoring import Scorer

__all__ = ["Space", "frechet_score"]


class Space:
    """Features of one data set, those of real sequences kept; a subclass says how they are made.

    Args:
        data: the data set.
    """

    def __init__(self, data: Dataset):
        self.data = data
        self._splits: dict[str, np.ndarray] = {}

    def samples(self, samples: Sequences) -> np.ndarray:
        """Features [N, E] of samples."""
        raise NotImplementedError

    def real(self, split: str, rows: torch.Tensor) -> np.ndarray:
        """Features [N, E] of the rows int64 [N] of a split."""
        raise NotImplementedError

    def split(self, name: str) -> np.ndarray:
        """Features [N, E] of a split, its rows in random order, the same for all seeds."""
        if name not in self._splits:
            self._splits[name] = self.real(name, random_rows(self.data, name))
        return self._splits[name]

    def training(self, count: int) -> np.ndarray | None:
        """Features [count, E] of training sequences; None if they are too few."""
        if len(self.data.train) < count:
            return None
        return self.real("train", random_rows(self.data, "train")[:count])


def frechet_score(
    scorer: Scorer, name: str, generated: np.ndarray, real: np.ndarray, **settings: object
) -> Score:
    """The Frechet distance of two sets of features as a score.

    Args:
        scorer: confidence, resamples and seed of the interval.
        name: of the score.
        generated: float [N, E].
        real: float [N, E].
        **settings: of the signature.
    """
    n = len(generated)
    interval = frechet_interval(
        generated, real, scorer.confidence, scorer.resamples, derive_seed(scorer.seed, "frechet")
    )
    resamples = min(scorer.resamples, FRECHET_RESAMPLES)
    sign = signature(
        name, **settings, n=n, bootstrap=f"{scorer.confidence:g}/{resamples}, normal",
        seed=scorer.seed,
    )  # fmt: skip
    return Score(name, frechet_distance(generated, real), interval, n, "lower", sign)
