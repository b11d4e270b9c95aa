"""A classifier of token sequences by naive Bayes, to tell if samples have the label asked for.

It has nothing to train but counts, so it is the same on every machine. What is measured with it is
how well a label can be read off the words and word pairs of a sequence.

Reference: McCallum and Nigam 1998, "A comparison of event models for naive Bayes text
classification", the multi-variate Bernoulli model without the features that are absent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from ..errors import MetricError

__all__ = ["LabelClassifier"]


class LabelClassifier:
    """Finds the label of a sequence: log prior plus log-likelihoods of its words and word pairs.

    Args:
        rows: token sequences to learn from, none of them of the model that is measured.
        labels: int [n], 0 .. L - 1, the label of each.
        count: L.

    Raises:
        MetricError: there are not as many labels as sequences, or a label has no sequence.
    """

    def __init__(self, rows: Sequence[Sequence[Hashable]], labels: Sequence[int], count: int):
        if len(rows) != len(labels):
            raise MetricError(f"{len(rows)} sequences but {len(labels)} labels")
        sizes = np.bincount(np.asarray(labels, dtype=np.int64), minlength=count)
        if (sizes == 0).any():
            raise MetricError(f"label {int(sizes.argmin())} has no sequence to learn from")
        counts = [Counter[Hashable]() for _ in range(count)]
        for row, label in zip(rows, labels, strict=True):
            counts[label].update(_features(row))
        self.prior = np.log(sizes / sizes.sum())
        # One sequence more with a feature and one more without, for every label.
        self.unseen = -np.log(sizes + 2.0)
        self.weights = {
            feature: np.array(
                [math.log(each[feature] + 1.0) for each in counts]
            ) + self.unseen
            for feature in set().union(*counts)
        }  # fmt: skip

    def log_odds(self, rows: Iterable[Sequence[Hashable]]) -> np.ndarray:
        """Scores [n, L] of the labels: the largest is the label that is found."""
        return np.array([
            self.prior + sum((self.weights[f] for f in _features(row) if f in self.weights), 0.0)
            for row in rows
        ])  # fmt: skip

    def labels(self, rows: Iterable[Sequence[Hashable]]) -> np.ndarray:
        """The label int64 [n] that is found for each sequence."""
        return self.log_odds(rows).argmax(1)


def _features(row: Sequence[Hashable]) -> set[Hashable]:
    """The different tokens and pairs of neighbouring tokens of a sequence."""
    return {*row, *zip(row, row[1:], strict=False)}
