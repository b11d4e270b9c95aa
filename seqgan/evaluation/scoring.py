"""Scores with intervals and signatures, out of values of each sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics import (
    Direction,
    Score,
    backward_bleu,
    bleu,
    copied_share,
    distinct_n,
    longest_copied,
    ms_jaccard,
    repetition,
    self_bleu,
    signature,
    statistic_interval,
    unique_share,
)
from ..seeding import derive_seed

__all__ = ["ORDERS", "Scorer", "Wording"]

ORDERS = (2, 3, 4, 5)
REPEATED = 4
"""Order of the repetition inside a sequence that is reported (Welleck et al. 2020)."""


@dataclass(frozen=True)
class Wording:
    """How sequences are cut and compared: what the signatures of n-gram scores say of it.

    Attributes:
        tok: the tokenizer's name.
        unk: the token for unknown words, which then matches nothing; None: it is a token like any.
    """

    tok: str
    unk: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """As a signature has it."""
        # A path may hold what would break a signature apart.
        return {
            "tok": self.tok.replace("|", "/"),
            "unk": "match" if self.unk is None else "no-match",
        }


class Scorer:
    """Makes scores, all with the same bootstrap.

    Args:
        resamples: bootstrap resamples.
        confidence: level of the intervals.
        seed: of samples and bootstrap.
    """

    def __init__(self, resamples: int, confidence: float, seed: int):
        self.resamples, self.confidence, self.seed = resamples, confidence, seed

    def bleu(
        self, tokens: list[list[Any]], references: list[list[Any]], wording: Wording, refs: str
    ) -> list[Score]:
        """BLEU-2..5 of every sequence against all references.

        Args:
            tokens: the sequences, without EOS.
            references: real sequences.
            wording: how both are cut.
            refs: what the references are.
        """
        forward = bleu(tokens, references, 5, per_sentence=True, unk=wording.unk)
        return self._precision(forward, references, wording, refs)

    def recall(
        self, tokens: list[list[Any]], references: list[list[Any]], wording: Wording, refs: str
    ) -> list[Score]:
        """Backward BLEU-2..5, F1 of both directions, MS-Jaccard: what grows with the sample count.

        Arguments as in `bleu`.
        """
        forward = bleu(tokens, references, 5, per_sentence=True, unk=wording.unk)
        return self._recall(forward, tokens, references, wording, refs)

    def overlap(
        self, tokens: list[list[Any]], references: list[list[Any]], wording: Wording, refs: str
    ) -> list[Score]:
        """`bleu` and `recall` of the same sequences, with one pass for what both need."""
        forward = bleu(tokens, references, 5, per_sentence=True, unk=wording.unk)
        return [
            *self._precision(forward, references, wording, refs),
            *self._recall(forward, tokens, references, wording, refs),
        ]

    def _precision(
        self, forward: dict[int, Any], references: list[list[Any]], wording: Wording, refs: str
    ) -> list[Score]:
        settings = self._ngram_settings(wording, refs, references)
        return [self.mean(f"bleu-{k}", forward[k], "higher", **settings) for k in ORDERS]

    def _recall(
        self,
        forward: dict[int, Any],
        tokens: list[list[Any]],
        references: list[list[Any]],
        wording: Wording,
        refs: str,
    ) -> list[Score]:
        backward = backward_bleu(tokens, references, 5, per_sentence=True, unk=wording.unk)
        settings = self._ngram_settings(wording, refs, references)
        scores = [
            self.mean(f"backward-bleu-{k}", backward[k], "higher", samples=len(tokens), **settings)
            for k in ORDERS
        ]
        for k in ORDERS:
            pair = (forward[k], backward[k])
            value = float(_harmonic_mean(*pair, axis=-1))
            interval = self.interval(_harmonic_mean, pair, paired=False)
            name = f"bleu-f1-{k}"
            sign = self._signature(name, len(tokens), **settings)
            scores.append(Score(name, value, interval, len(tokens), "higher", sign))
        jaccard = ms_jaccard(tokens, references, 4)[4]
        settings = {"tok": settings["tok"], "refs": settings["refs"]}
        scores.append(self.plain("ms-jaccard-4", jaccard, len(tokens), "higher", **settings))
        return [score for score in scores if math.isfinite(score.value)]

    def surface(
        self, tokens: list[list[Any]], wording: Wording, training: Sequence[list[Any]] | None
    ) -> list[Score]:
        """Scores of token sequences alone: self-BLEU, variety, repetition, copies, lengths.

        Args:
            tokens: the sequences, without EOS; two or more.
            wording: how they are cut.
            training: what they may be copied from, or None.
        """
        n, tok = len(tokens), wording.settings["tok"]
        own = self_bleu(tokens, 5, per_sentence=True, unk=wording.unk)
        settings = wording.settings | {"refs": "leave-one-out", "smooth": "method1"}
        scores = [self.mean(f"self-bleu-{k}", own[k], "lower", **settings) for k in ORDERS]
        distinct = distinct_n(tokens, 2)
        scores += [self.plain(f"distinct-{k}", distinct[k], n, "higher", tok=tok) for k in (1, 2)]
        scores.append(self.plain("unique", unique_share(tokens), n, "higher", tok=tok))
        if training is not None:
            refs = f"training/{len(training)}"
            copied = copied_share(tokens, training)
            scores.append(self.plain("copied", copied, n, "none", tok=tok, refs=refs))
            longest = longest_copied(tokens, training, per_sentence=True).astype(float)
            scores.append(
                self.mean("longest-copied", longest, "none", unit="tokens", tok=tok, refs=refs)
            )
        repeated = repetition(tokens, REPEATED, per_sentence=True)[REPEATED]
        scores.append(self.mean(f"repetition-{REPEATED}", repeated, "none", tok=tok))
        lengths = np.array([len(row) for row in tokens], dtype=float)
        scores.append(self.mean("length", lengths, "none", unit="tokens", tok=tok))
        return [score for score in scores if math.isfinite(score.value)]

    def plain(
        self, name: str, value: float, n: int, direction: Direction, **settings: Any
    ) -> Score:
        """A number of the whole set, without an interval."""
        return Score(name, value, None, n, direction, signature(name, **settings, n=n))

    def mean(self, name: str, values: np.ndarray, direction: Direction, **settings: Any) -> Score:
        """The mean of one value a sequence."""
        interval = self.interval(lambda x, axis: x.mean(axis), (values,), paired=False)
        sign = self._signature(name, len(values), **settings)
        return Score(name, float(values.mean()), interval, len(values), direction, sign)

    def ratio(
        self,
        name: str,
        total: np.ndarray,
        units: np.ndarray,
        direction: Direction,
        unit: str = "nats/token",
        *,
        exponential: bool = False,
        **settings: Any,
    ) -> Score:
        """A sum over sequences divided by another: nats a token.

        Args:
            name: of the score.
            total: nats [n] of each sequence.
            units: tokens, words or characters [n] of each sequence.
            direction: which way is better.
            unit: what the quotient is in.
            exponential: take e to the power of it (perplexity).
            **settings: of the signature.
        """

        def statistic(a: np.ndarray, b: np.ndarray, axis: int) -> Any:
            quotient = a.sum(axis) / b.sum(axis)
            return np.exp(quotient) if exponential else quotient

        pair = (np.asarray(total, np.float64), np.asarray(units, np.float64))
        interval = self.interval(statistic, pair, paired=True)
        sign = self._signature(name, len(total), unit=unit, **settings)
        value = float(statistic(*pair, axis=-1))
        return Score(name, value, interval, len(total), direction, sign)

    def interval(
        self, statistic: Callable[..., Any], values: Iterable[np.ndarray], *, paired: bool
    ) -> tuple[float, float] | None:
        """The bootstrap interval of a statistic over sequences; None where it has none."""
        arrays = tuple(np.asarray(array, dtype=np.float64) for array in values)
        if any(len(array) < 2 or not np.isfinite(array).all() for array in arrays):
            return None
        seed = derive_seed(self.seed, "bootstrap")
        return statistic_interval(statistic, arrays, paired, self.confidence, self.resamples, seed)

    def _ngram_settings(
        self, wording: Wording, refs: str, references: list[list[Any]]
    ) -> dict[str, str]:
        return wording.settings | {"refs": f"{refs}/{len(references)}", "smooth": "method1"}

    def _signature(self, name: str, n: int, **settings: Any) -> str:
        """A signature with what reproduces the interval as well."""
        bootstrap = f"{self.confidence:g}/{self.resamples}"
        return signature(name, **settings, n=n, bootstrap=bootstrap, seed=self.seed)


def _harmonic_mean(forward: np.ndarray, backward: np.ndarray, axis: int) -> np.ndarray:
    """F1 of the means of two sets of scores; 0 where both are 0."""
    a, b = forward.mean(axis), backward.mean(axis)
    total = a + b
    f1: np.ndarray = 2 * a * b / np.where(total > 0, total, 1)
    return f1
