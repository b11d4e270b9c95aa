"""Scores with intervals and signatures, out of values of each sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from .metrics import Score, copied_share, distinct_n, self_bleu, signature, unique_share
from .metrics.score import Direction
from .seeding import derive_seed

__all__ = ["ORDERS", "Scorer"]

ORDERS = (2, 3, 4, 5)


class Scorer:
    """Makes scores, all with the same bootstrap.

    Args:
        resamples: bootstrap resamples.
        confidence: level of the intervals.
        seed: of the bootstrap.
    """

    def __init__(self, resamples: int, confidence: float, seed: int):
        self.resamples, self.confidence, self.seed = resamples, confidence, seed

    def bleu(self, forward: dict[int, Any], tok: str, refs: str) -> list[Score]:
        """BLEU-2..5 out of the scores of each sequence.

        Args:
            forward: for each order an array [n].
            tok: the tokenizer's name.
            refs: what the references are.
        """
        return [
            self.mean(f"bleu-{k}", forward[k], "higher", refs=refs, tok=tok, smooth="method1")
            for k in ORDERS
        ]

    def surface(
        self, tokens: list[list[Any]], tok: str, training: list[list[Any]] | None
    ) -> list[Score]:
        """Scores of token sequences alone: self-BLEU, uniqueness, copies, lengths.

        Args:
            tokens: the sequences, without EOS; two or more.
            tok: the tokenizer's name.
            training: what they may be copied from, or None.
        """
        n = len(tokens)
        own = self_bleu(tokens, 5, per_sentence=True)
        scores = [
            self.mean(
                f"self-bleu-{k}", own[k], "lower", refs="leave-one-out", tok=tok, smooth="method1"
            )
            for k in ORDERS
        ]
        distinct = distinct_n(tokens, 2)
        lengths = np.array([len(row) for row in tokens], dtype=float)
        scores += [
            Score(f"distinct-{k}", distinct[k], None, n, "higher", signature(f"distinct-{k}", n=n))
            for k in (1, 2)
        ]
        scores.append(
            Score("unique", unique_share(tokens), None, n, "higher", signature("unique", n=n))
        )
        if training is not None:
            copied = copied_share(tokens, training)
            scores.append(Score("copied", copied, None, n, "none", signature("copied", n=n)))
        scores.append(self.mean("length", lengths, "none", unit="tokens"))
        return [score for score in scores if math.isfinite(score.value)]

    def mean(self, name: str, values: np.ndarray, direction: Direction, **settings: Any) -> Score:
        """The mean of one value a sequence."""
        interval = self.interval(lambda x, axis: x.mean(axis), (values,), paired=False)
        sign = signature(name, **settings, n=len(values), seed=self.seed)
        return Score(name, float(values.mean()), interval, len(values), direction, sign)

    def ratio(
        self, name: str, total: np.ndarray, tokens: np.ndarray, direction: Direction,
        **settings: Any,
    ) -> Score:  # fmt: skip
        """A sum over sequences divided by their tokens: nats a token."""
        interval = self.interval(
            lambda a, b, axis: a.sum(axis) / b.sum(axis), (total, tokens.astype(float)), paired=True
        )
        sign = signature(name, unit="nats/token", **settings, n=len(total), seed=self.seed)
        value = float(total.sum() / tokens.sum())
        return Score(name, value, interval, len(total), direction, sign)

    def interval(
        self, statistic: Callable[..., Any], values: Iterable[np.ndarray], *, paired: bool
    ) -> tuple[float, float] | None:
        """The percentile bootstrap interval of a statistic over sequences."""
        arrays = tuple(np.asarray(array, dtype=np.float64) for array in values)
        if any(len(array) < 2 for array in arrays):
            return None
        value = float(statistic(*arrays, axis=-1))
        if not math.isfinite(value):
            return None
        if all(np.ptp(array) == 0 for array in arrays):
            return (value, value)  # nothing varies: SciPy would warn and return NaN
        found = bootstrap(
            arrays,
            statistic,
            paired=paired,
            vectorized=True,
            n_resamples=self.resamples,
            batch=max(1, (1 << 22) // max(len(array) for array in arrays)),
            confidence_level=self.confidence,
            method="percentile",
            rng=np.random.default_rng(derive_seed(self.seed, "bootstrap")),
        ).confidence_interval
        return (float(found.low), float(found.high))
