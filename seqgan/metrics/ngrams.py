"""Equal n-grams side by side: the one loop under BLEU, self-BLEU, MS-Jaccard and the others.

The occurrences of every order are sorted so that equal n-grams form a *run*. An n-gram is named by
the pair of its two (n-1)-grams, whose names are small integers, so a name is exact (nothing is
hashed) and fits a 64-bit integer for any n. A caller says which runs matter to it (those that occur
in two sequences, say); an n-gram within a longer one that matters matters too, hence the others are
dropped before the next order. The cost is one integer sort an order: time N log N in theory, linear
in practice, memory linear in N.

Shapes: N tokens, M occurrences of the n-grams of one order, R runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqgan.metrics.tokens import Ints

__all__ = ["Runs", "group", "ngram_runs"]

KEY_BITS = 63
"""Bits of a sort key: those of int64 without the sign."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The occurrences of n-grams of one order, equal ones side by side.

    Within a run the occurrences stand in the order of the corpus, so those of one sequence are
    side by side as well.

    Attributes:
        order: n, in tokens.
        owner: int64 [M], the sequence of every occurrence.
        edges: int64 [R+1], where the runs begin, and M.
    """

    order: int
    owner: Ints
    edges: Ints

    @property
    def first(self) -> Ints:
        """int64 [R]: the first sequence that holds the n-gram."""
        return self.owner[self.edges[:-1]]

    @property
    def last(self) -> Ints:
        """int64 [R]: the last sequence that holds the n-gram."""
        return self.owner[self.edges[1:] - 1]

    def repeated(self) -> Ints:
        """int64: the occurrences that repeat an earlier one of the same sequence, ascending."""
        again = self.owner[1:] == self.owner[:-1]
        again[self.edges[1:-1] - 1] = False
        return np.flatnonzero(again) + 1

    def spread(self, values: NDArray) -> NDArray:
        """[M]: the values [R] of the runs, each repeated for its occurrences."""
        return np.repeat(values, np.diff(self.edges))

    def count(self, flags: NDArray[np.bool_]) -> Ints:
        """int64 [R]: how many occurrences of each run have the flag [M] set."""
        return np.add.reduceat(flags, self.edges[:-1], dtype=np.int64)


def group(keys: Ints, labels: Ints, bound: int) -> tuple[Ints, Ints]:
    """Sorts labelled keys, keeping equal ones in their order.

    Args:
        keys: int64 [M], M > 0, each at least 0 and less than `bound`.
        labels: int64 [M], ascending, each at least 0; what stands for a key in the result.
        bound: as above.

    Returns:
        int64 [M], the labels in the order of the keys, and edges int64 [R+1], where the runs of
        equal keys begin, and M.
    """
    size = keys.size
    shift = int(labels[-1]).bit_length()
    if bound.bit_length() + shift <= KEY_BITS:
        # Numpy's plain sort of integers is vectorised and several times faster than its stable
        # argsort, so the label travels in the low bits of the key.
        ordered = keys << shift
        ordered |= labels
        ordered.sort()
        by_key = ordered & ((1 << shift) - 1)
        ordered >>= shift
    else:
        order = np.argsort(keys, kind="stable")
        by_key, ordered = labels[order], keys[order]
    fresh = np.empty(size + 1, dtype=bool)
    fresh[0] = fresh[-1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:-1])
    return by_key, np.flatnonzero(fresh)


def ngram_runs(
    ids: Ints, owners: Ints, max_order: int, keep: Callable[[Runs], NDArray[np.bool_]]
) -> Iterator[tuple[Runs, NDArray[np.bool_]]]:
    """The runs of orders 1 to `max_order`, as far as they matter.

    Args:
        ids: int64 [N], tokens as small numbers; a negative one stands for a token that is part of
            no n-gram (but still separates its neighbours).
        owners: int64 [N], the sequence of every token, ascending.
        max_order: the largest n, in tokens.
        keep: says which of the runs matter, bool [R]. Where it is false for an n-gram it must be
            false for every longer one that holds it.

    Yields:
        For each order its runs and which of their occurrences matter by `keep`, bool [M]. Of
        orders beyond the first, only n-grams are there whose two parts mattered. It ends with the
        first order that has none.
    """
    start = np.flatnonzero(ids >= 0)
    keys, bound = ids[start], int(ids.max(initial=0)) + 1
    # The number of the n-gram that begins at a token, from 1; 0 where it does not matter.
    names = np.empty_like(ids)
    for order in range(1, max_order + 1):
        if order > 1:
            # An n-gram is two (n-1)-grams that begin at neighbouring tokens. Only two unigrams can
            # be neighbours and belong to two sequences.
            joined = (names[:-1] > 0) & (names[1:] > 0)
            if order == 2:
                joined &= owners[:-1] == owners[1:]
            start = np.flatnonzero(joined)
            keys = names[start]
            keys *= bound
            keys += names[start + 1]
            bound *= bound
        if keys.size == 0:
            return
        start, edges = group(keys, start, bound)
        runs = Runs(order, owners[start], edges)
        alive = keep(runs)
        number = np.cumsum(alive, dtype=np.int64)
        bound = int(number[-1]) + 1
        number *= alive
        spread = runs.spread(number)
        yield runs, spread > 0
        names.fill(0)
        names[start] = spread
