"""Expectations under two models from the samples of both, by importance weights.

The balance heuristic (Veach and Guibas 1995): a sample counts as drawn from the mixture of the two
models, whichever it came from. Models that are far apart gain nothing by it, each keeps its own
samples. Of models that are close, as a fine-tuned one and its baseline often are, the samples
hardly tell which model they are from; then a difference depends on how the models rate them, which
varies little, and not on the handful in which the two sets differ, of which no bootstrap could tell
how often it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from rollout import Sequences

from ..metrics.likelihood import SequenceScores

__all__ = ["ALL", "Drawn", "Pooled", "Rows", "Sampled"]

Rows = Any
"""Rows [n] that a resample drew, or a slice for all of them."""
ALL = slice(None)
BOTH = (ALL, ALL)


class Sampled(Protocol):
    """Samples of a model, and the model to score others with."""

    @property
    def own(self) -> SequenceScores:
        """Scores of the samples under the model."""

    @property
    def samples(self) -> Sequences | None:
        """The samples; None: no other model can score them."""

    @property
    def score(self) -> Callable[[Sequences], SequenceScores] | None:
        """Scores of any sequences under the model; None: it cannot be asked."""


class Drawn(NamedTuple):
    """The plain `Sampled`."""

    own: SequenceScores
    samples: Sequences | None
    score: Callable[[Sequences], SequenceScores] | None


class Pooled:
    """The samples of two models, scored by both. A model is named by its place, 0 or 1.

    Args:
        first: a model and its samples. Where one of the two models cannot be asked, or its samples
            are not at hand, each model keeps to its own samples.
        second: another.

    Attributes:
        log_q: for each model and the samples of each, their log-probabilities float64 [n].
    """

    def __init__(self, first: Sampled, second: Sampled):
        both = (first, second)
        known = all(model.score is not None and model.samples is not None for model in both)
        scores = [[_scores(model, of, known) for of in both] for model in both]
        self.log_q = [[found.log_prob.numpy() for found in row] for row in scores]
        self._entropy = [[found.entropy.numpy() for found in row] for row in scores]
        self._tokens = [scores[place][place].tokens.double().numpy() for place in range(2)]
        counts = np.array([len(tokens) for tokens in self._tokens])
        shares = np.log(counts / counts.sum())
        self._weights = [[np.empty(0)] * 2 for _ in both]
        for of in range(2):
            mixture = np.logaddexp(self.log_q[0][of] + shares[0], self.log_q[1][of] + shares[1])
            for model in range(2):
                self._weights[model][of] = np.exp(self.log_q[model][of] - mixture)

    def entropy(self, model: int, rows: Sequence[Rows] = BOTH) -> float:
        """A model's own entropy in nats per token, over some rows of both sets of samples."""
        nats = self._total(model, self._entropy[model], rows)
        return nats / self._total(model, self._tokens, rows)

    def mean(self, model: int, values: Sequence[np.ndarray], rows: Sequence[Rows] = BOTH) -> float:
        """The expectation under a model of one value per sample of each set [n]."""
        ones = [np.ones(len(part)) for part in values]
        return self._total(model, values, rows) / self._total(model, ones, rows)

    def _total(self, model: int, values: Sequence[np.ndarray], rows: Sequence[Rows]) -> float:
        return sum(
            float(self._weights[model][of][rows[of]] @ values[of][rows[of]]) for of in range(2)
        )


def _scores(model: Sampled, of: Sampled, known: bool) -> SequenceScores:
    """A model on the samples of another, which are impossible where they cannot be scored."""
    if of is model:
        return model.own
    if known:
        assert model.score is not None and of.samples is not None
        return model.score(of.samples)
    never = of.own.log_prob.new_full(of.own.log_prob.shape, -np.inf)
    return SequenceScores(never, of.own.entropy, of.own.tokens)
