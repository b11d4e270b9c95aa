"""Scores that only one kind of data has: of pictures, of music, and so on.

A kind of data is that of its codec. What measures it is one line in `DOMAINS`; the evaluation asks
it and knows no kind by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from rollout import Sequences

from ..data.dataset import Dataset
from ..metrics import Score
from .molecules import molecule_scores
from .music import MusicScores
from .pictures import picture_scores
from .scoring import Scorer

__all__ = ["DOMAINS", "DomainScores", "domain_scores"]


class DomainScores(Protocol):
    """Measures the samples of one kind of data."""

    def scores(self, samples: Sequences) -> list[Score]:
        """Scores of a model's samples."""

    def real(self) -> list[Score]:
        """The same of real sequences."""

    def distributions(self, samples: Sequences | None) -> dict[str, np.ndarray]:
        """Values by name of a metric, one per sequence, whose histograms a report shows.

        Args:
            samples: a model's; None: real sequences.
        """


DOMAINS: dict[str, Callable[[Dataset, Scorer, int], DomainScores | None]] = {
    "pictures": picture_scores,
    "molecules": molecule_scores,
    "music": MusicScores,
}
"""For a codec's kind what makes its scores, or None where the data lack what they need."""


def domain_scores(data: Dataset, scorer: Scorer, count: int) -> DomainScores | None:
    """The scores of a data set's own kind; None: it has none.

    Args:
        data: the data set.
        scorer: makes intervals and signatures.
        count: sequences that a score is taken of if it depends on their number, samples or real
            ones; training and test split have as many.
    """
    make = DOMAINS.get(data.codec.kind)
    return None if make is None else make(data, scorer, count)
