"""Variety of a set of sequences in itself: distinct n-grams, repetition, copies, lengths.

Shapes: S sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from seqgan.errors import MetricError
from seqgan.metrics.ngrams import Runs, ngram_runs
from seqgan.metrics.tokens import Corpus, Floats, as_sequences, check_order, encode

__all__ = [
    "LengthStatistics",
    "distinct_n",
    "length_statistics",
    "repetition",
    "unique_share",
]


@dataclass(frozen=True)
class LengthStatistics:
    """The lengths of a set of sequences.

    Attributes:
        mean: in tokens, as all of them.
        std: the standard deviation of this set (divided by S).
        min: the shortest.
        median: the mean of the middle two where S is even.
        max: the longest.
    """

    mean: float
    std: float
    min: int
    median: float
    max: int


def distinct_n(sequences: Corpus, max_order: int = 5) -> dict[int, float]:
    """Distinct-n: different n-grams of the whole set over all its n-grams (Li et al. 2016).

    Higher is more diverse. It falls with the number of tokens: compare sets of one size only.

    Args:
        sequences: the set.
        max_order: the largest order n, in tokens.

    Returns:
        For n = 1 to `max_order` the share in (0, 1]; NaN where no sequence has n tokens.

    Raises:
        MetricError: the set is empty, or something is not a token sequence.
    """
    check_order(max_order)
    encoded = encode(as_sequences(sequences))
    shares = dict.fromkeys(range(1, max_order + 1), float("nan"))

    def all_of_them(runs: Runs) -> NDArray[np.bool_]:
        return np.ones(runs.edges.size - 1, dtype=bool)

    for runs, _ in ngram_runs(encoded.ids, encoded.owners(), max_order, all_of_them):
        shares[runs.order] = (runs.edges.size - 1) / runs.owner.size
    return shares


@overload
def repetition(
    sequences: Corpus, max_order: int = ..., *, per_sentence: Literal[False] = ...
) -> dict[int, float]: ...
@overload
def repetition(
    sequences: Corpus, max_order: int = ..., *, per_sentence: Literal[True]
) -> dict[int, Floats]: ...
def repetition(
    sequences: Corpus, max_order: int = 5, *, per_sentence: bool = False
) -> dict[int, float] | dict[int, Floats]:
    """Repetition inside a sequence: its n-grams that repeat an earlier one of it, over all its own.

    Welleck et al. 2020 ("seq-rep-n", there for one long continuation). Lower is better, down to the
    value of real data.

    Args:
        sequences: the set, S of them.
        max_order: the largest order n, in tokens.
        per_sentence: return the share of every sequence instead of the mean.

    Returns:
        For n = 1 to `max_order` the mean share in [0, 1), or float64 [S]. A sequence of fewer than
        n tokens repeats nothing: 0.

    Raises:
        MetricError: the set is empty, or something is not a token sequence.
    """
    check_order(max_order)
    encoded = encode(as_sequences(sequences))
    shares = {n: np.zeros(len(encoded)) for n in range(1, max_order + 1)}

    def repeats_somewhere(runs: Runs) -> NDArray[np.bool_]:
        # Where an n-gram comes twice in a sequence, so do the shorter ones within it.
        flags = np.zeros(runs.owner.size, dtype=bool)
        flags[runs.repeated()] = True
        return runs.count(flags) > 0

    for runs, _ in ngram_runs(encoded.ids, encoded.owners(), max_order, repeats_somewhere):
        repeats = np.bincount(runs.owner[runs.repeated()], minlength=len(encoded))
        shares[runs.order] = repeats / np.maximum(encoded.num_ngrams(runs.order), 1)
    if per_sentence:
        return shares
    return {n: float(values.mean()) for n, values in shares.items()}


def unique_share(sequences: Corpus) -> float:
    """Different sequences over all sequences, in (0, 1]; 1 where no two are equal.

    Args:
        sequences: the set.

    Raises:
        MetricError: the set is empty, or something is not a token sequence.
    """
    rows = as_sequences(sequences)
    try:
        return len(set(map(tuple, rows))) / len(rows)
    except TypeError as error:
        raise MetricError(f"a token must be hashable: {error}") from error


def length_statistics(sequences: Corpus) -> LengthStatistics:
    """Mean, spread and extremes of the lengths, in tokens.

    Args:
        sequences: the set; empty sequences count, with 0 tokens.

    Raises:
        MetricError: the set is empty, or something is not a token sequence.
    """
    lengths = np.array([len(row) for row in as_sequences(sequences)])
    return LengthStatistics(
        mean=float(lengths.mean()),
        std=float(lengths.std()),
        min=int(lengths.min()),
        median=float(np.median(lengths)),
        max=int(lengths.max()),
    )
