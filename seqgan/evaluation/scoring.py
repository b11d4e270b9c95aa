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
    jackknife_interval,
    longest_copied,
    ms_jaccard,
    repetition,
    self_bleu,
    signature,
    statistic_interval,
    unique_share,
    wilson_interval,
)
from ..seeding import derive_seed

__all__ = ["ORDERS", "Scorer", "Wording"]

ORDERS = (2, 3, 4, 5)
REPEATED = 4
"""Order of the repetition inside a sequence that is reported (Welleck et al. 2020)."""
RARE = 10
"""Sequences that differ from all others, below which no bootstrap of values in [0, 1] is made."""
GROUPS = 10
"""Groups of samples that a jackknife leaves out in turn."""


@dataclass(frozen=True)
class Wording:
    """Tokenizer and treatment of unknown words, as the signatures of n-gram scores state them.

    Attributes:
        tok: the tokenizer's name.
        unk: the token for unknown words, which then matches nothing; None: it is a token like any.
    """

    tok: str
    unk: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The keys of a signature."""
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
        return [self.share(f"bleu-{k}", forward[k], "higher", **settings) for k in ORDERS]

    def _recall(
        self,
        forward: dict[int, Any],
        tokens: list[list[Any]],
        references: list[list[Any]],
        wording: Wording,
        refs: str,
    ) -> list[Score]:
        settings = self._ngram_settings(wording, refs, references)
        backward = backward_bleu(tokens, references, 5, unk=wording.unk)
        both = {k: _harmonic_mean(float(forward[k].mean()), backward[k]) for k in ORDERS}
        recalls, harmonic = self._left_out(forward, tokens, references, wording)
        n = len(tokens)
        scores = [
            *self._jackknifed("backward-bleu", backward, recalls, n, **settings),
            *self._jackknifed("bleu-f1", both, harmonic, n, **settings),
        ]
        jaccard = ms_jaccard(tokens, references, 4)[4]
        settings = {"tok": settings["tok"], "refs": settings["refs"]}
        scores.append(self.plain("ms-jaccard-4", jaccard, len(tokens), "higher", **settings))
        return [score for score in scores if math.isfinite(score.value)]

    def _left_out(
        self,
        forward: dict[int, Any],
        tokens: list[list[Any]],
        references: list[list[Any]],
        wording: Wording,
    ) -> tuple[list[dict[int, float]], list[dict[int, float]]]:
        """Backward BLEU and F1 with each group of samples left out; empty for a single sample.

        The groups are random: neighbouring lines of a file may be alike.
        """
        order = np.random.default_rng(derive_seed(self.seed, "groups")).permutation(len(tokens))
        groups = min(GROUPS, len(tokens)) if len(tokens) > 1 else 0
        recalls, harmonic = [], []
        for group in range(groups):
            rows = np.delete(order, slice(group, None, groups))
            kept = [tokens[row] for row in rows]
            recalls.append(backward_bleu(kept, references, 5, unk=wording.unk))
            precision = {k: float(forward[k][rows].mean()) for k in ORDERS}
            harmonic.append({k: _harmonic_mean(precision[k], recalls[-1][k]) for k in ORDERS})
        return recalls, harmonic

    def _jackknifed(
        self,
        name: str,
        values: dict[int, float],
        left_out: list[dict[int, float]],
        n: int,
        **settings: Any,
    ) -> list[Score]:
        """Scores of all orders, with intervals from the values without each group of samples."""
        scores = []
        jackknife = f"{self.confidence:g}/{len(left_out)}"
        for k in ORDERS:
            interval = None
            if left_out:
                without = [found[k] for found in left_out]
                low, high = jackknife_interval(values[k], without, self.confidence)
                interval = max(0.0, low), min(1.0, high)
            sign = signature(f"{name}-{k}", **settings, n=n, jackknife=jackknife, seed=self.seed)
            scores.append(Score(f"{name}-{k}", values[k], interval, n, "higher", sign))
        return scores

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
        scores = [self.share(f"self-bleu-{k}", own[k], "lower", **settings) for k in ORDERS]
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
        scores.append(self.share(f"repetition-{REPEATED}", repeated, "none", tok=tok))
        lengths = np.array([len(row) for row in tokens], dtype=float)
        scores.append(self.mean("length", lengths, "none", unit="tokens", tok=tok))
        return [score for score in scores if math.isfinite(score.value)]

    def plain(
        self, name: str, value: float, n: int, direction: Direction, **settings: Any
    ) -> Score:
        """A number of the whole set, without an interval."""
        return Score(name, value, None, n, direction, signature(name, **settings, n=n))

    def share(self, name: str, values: np.ndarray, direction: Direction, **settings: Any) -> Score:
        """The mean of one value in [0, 1] per sequence.

        Wilson's interval where the values are 0 or 1, or where fewer than `RARE` sequences are not
        0, or not 1: a bootstrap cannot see what is that rare. Otherwise the bootstrap's.
        """
        values = np.asarray(values, np.float64)
        zeros, ones = int((values == 0).sum()), int((values == 1).sum())
        n = len(values)
        if (
            n < 2
            or not np.isfinite(values).all()
            or (zeros + ones < n and max(zeros, ones) <= n - RARE)
        ):
            return self.mean(name, values, direction, **settings)
        value = float(values.mean())
        interval = wilson_interval(value, n, self.confidence)
        sign = signature(name, **settings, n=n, wilson=f"{self.confidence:g}", seed=self.seed)
        return Score(name, value, interval, n, direction, sign)

    def mean(self, name: str, values: np.ndarray, direction: Direction, **settings: Any) -> Score:
        """The mean of one value per sequence."""
        interval = self.interval(lambda mean: mean, (values,), paired=False)
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
        """A sum over sequences divided by another: nats per token.

        Args:
            name: of the score.
            total: nats [n] of each sequence.
            units: tokens, words or characters [n] of each sequence.
            direction: which way is better.
            unit: what the quotient is in.
            exponential: take e to the power of it (perplexity).
            **settings: of the signature.
        """

        def statistic(nats: Any, each: Any) -> Any:
            return np.exp(nats / each) if exponential else nats / each

        pair = (np.asarray(total, np.float64), np.asarray(units, np.float64))
        interval = self.interval(statistic, pair, paired=True)
        sign = self._signature(name, len(total), unit=unit, **settings)
        value = float(statistic(*(part.sum() for part in pair)))
        return Score(name, value, interval, len(total), direction, sign)

    def interval(
        self, statistic: Callable[..., Any], values: Iterable[np.ndarray], *, paired: bool
    ) -> tuple[float, float] | None:
        """The bootstrap interval of a function of means over sequences; None if it has none."""
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


def _harmonic_mean(forward: float, backward: float) -> float:
    """F1 of the means of two sets of scores; 0 where both are 0."""
    total = forward + backward
    return 2 * forward * backward / total if total > 0 else 0.0
