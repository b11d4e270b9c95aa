"""Copies from the training data: whole sequences and long pieces.

The longest copied piece of each sequence is found for all of them at once with the suffixes of
training data and sequences in sorted order: among the training suffixes, one of the two neighbours
of a suffix agrees with it longest. Suffixes are sorted by prefix doubling (Manber and Myers 1993):
from the ranks of all pieces of d tokens follow those of 2d tokens, as many rounds as the longest
sequence has binary digits.

Shapes: S sequences, N tokens of training data and sequences together, D rounds of doubling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from seqgan.errors import MetricError
from seqgan.metrics.ngrams import group
from seqgan.metrics.tokens import Corpus, Encoded, Ints, as_sequences, encode, parts

__all__ = ["CopiedLengths", "copied_share", "longest_copied"]

PART = 2_000_000
"""Tokens of training data worked on at a time: some 250 MB of arrays."""


@dataclass(frozen=True)
class CopiedLengths:
    """The longest pieces copied from the training data, over a set of sequences.

    Attributes:
        mean: in tokens, over the sequences.
        max: of any sequence, in tokens.
    """

    mean: float
    max: int


def copied_share(sequences: Corpus, training: Corpus) -> float:
    """The share of sequences that stand in the training data word for word; novelty is 1 less this.

    Args:
        sequences: the generated set.
        training: the training data.

    Returns:
        A share in [0, 1].

    Raises:
        MetricError: a set is empty, or something is not a token sequence.
    """
    rows = as_sequences(sequences)
    try:
        wanted = Counter(map(tuple, rows))
        known: set[tuple] = set()
        for part in parts(training, "training", PART):
            known.update(wanted.keys() & map(tuple, part))
        return sum(wanted[row] for row in known) / len(rows)
    except TypeError as error:
        raise MetricError(f"a token must be hashable: {error}") from error


@overload
def longest_copied(
    sequences: Corpus, training: Corpus, *, per_sentence: Literal[False] = ...
) -> CopiedLengths: ...
@overload
def longest_copied(sequences: Corpus, training: Corpus, *, per_sentence: Literal[True]) -> Ints: ...
def longest_copied(
    sequences: Corpus, training: Corpus, *, per_sentence: bool = False
) -> CopiedLengths | Ints:
    """The longest n-gram of each sequence that stands in some training sequence as well.

    Args:
        sequences: the generated set, S of them.
        training: the training data.
        per_sentence: return the length of every sequence instead of their mean and maximum.

    Returns:
        `CopiedLengths`, or int64 [S]: lengths in tokens, 0 where not even a token is known.

    Raises:
        MetricError: a set is empty, or something is not a token sequence.
    """
    rows = as_sequences(sequences)
    longest = np.zeros(len(rows), dtype=np.int64)
    for part in parts(training, "training", PART):
        np.maximum(longest, _longest_in(rows, part), out=longest)
    if per_sentence:
        return longest
    return CopiedLengths(mean=float(longest.mean()), max=int(longest.max()))


def _longest_in(rows: list, training: list) -> Ints:
    """int64 [S]: tokens of the longest piece of each sequence that a training sequence holds."""
    encoded = encode(training + rows)
    first = len(training)
    longest = np.zeros(len(encoded), dtype=np.int64)
    start = int(encoded.lengths[:first].sum())
    if 0 < start < encoded.ids.size:
        remaining, owners = _remaining(encoded), encoded.owners()
        ranks, order = _suffixes(encoded.ids, remaining, int(encoded.lengths[first:].max()))
        for position, neighbour in _neighbours(order, start):
            agree = _common_prefix(ranks, remaining, position, neighbour)
            np.maximum.at(longest, owners[position], agree)
    return longest[first:]


def _remaining(encoded: Encoded) -> Ints:
    """int64 [N]: tokens from each position to the end of its sequence, itself counted."""
    ends = np.repeat(np.cumsum(encoded.lengths), encoded.lengths)
    return ends - np.arange(ends.size)


def _suffixes(ids: Ints, remaining: Ints, length: int) -> tuple[list[NDArray], Ints]:
    """Sorts the suffixes of all sequences by their first `length` tokens.

    Args:
        ids: int64 [N].
        remaining: int64 [N], as from `_remaining`.
        length: at least 1, in tokens.

    Returns:
        D arrays [N], the k-th of which numbers the pieces of 2^k tokens from 1 in their order
        (equal pieces have equal numbers, and the end of a sequence sorts before any token); and
        int64 [N], the positions in the order of their suffixes.
    """
    small = np.int32 if ids.size < np.iinfo(np.int32).max else np.int64
    positions = np.arange(ids.size, dtype=np.int64)
    rank = ids + 1
    ranks = [rank.astype(small)]
    order, _ = group(ids, positions, int(rank.max()))
    depth = 1
    while depth < length:
        # A piece of 2 d tokens is two pieces of d; 0 where the sequence ends before the second.
        bound = int(rank.max()) + 1
        keys = rank * bound
        inside = np.flatnonzero(remaining > depth)
        keys[inside] += rank[inside + depth]
        order, edges = group(keys, positions, bound * bound)
        rank[order] = np.repeat(np.arange(1, edges.size), np.diff(edges))
        ranks.append(rank.astype(small))
        depth *= 2
    return ranks, order


def _neighbours(order: Ints, start: int) -> Iterator[tuple[Ints, Ints]]:
    """The nearest training suffixes on either side of every generated one.

    Args:
        order: int64 [N], positions in the order of their suffixes.
        start: the first position that is not of the training data.

    Yields:
        Twice, for the side before and the side after: generated positions int64, and for each of
        them the position of its neighbour. Positions without a neighbour are left out.
    """
    from_training = order < start
    index = np.arange(order.size)
    before = np.maximum.accumulate(np.where(from_training, index, -1))
    after = np.minimum.accumulate(np.where(from_training, index, order.size)[::-1])[::-1]
    for nearest in (before, after):
        known = (nearest >= 0) & (nearest < order.size)
        chosen = np.flatnonzero(known & ~from_training)
        yield order[chosen], order[nearest[chosen]]


def _common_prefix(ranks: list[NDArray], remaining: Ints, left: Ints, right: Ints) -> Ints:
    """Number of tokens that two suffixes have in common at their beginning.

    Args:
        ranks: D arrays [N], as from `_suffixes`.
        remaining: int64 [N], as from `_remaining`.
        left: int64, positions.
        right: int64, as many positions.

    Returns:
        int64, in tokens, as many.
    """
    most = np.minimum(remaining[left], remaining[right])
    agree = np.zeros_like(left)
    # Binary digits of the answer from the highest down: take another 2^k tokens where they agree.
    for k, rank in reversed(list(enumerate(ranks))):
        fits = np.flatnonzero(agree + (1 << k) <= most)
        same = rank[left[fits] + agree[fits]] == rank[right[fits] + agree[fits]]
        agree[fits[same]] += 1 << k
    return agree
