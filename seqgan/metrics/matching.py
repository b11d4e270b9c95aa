r"""The parts of a BLEU score: matched n-grams, closest reference lengths, the formula.

A k-gram matches as often as the hypothesis and *some* reference hold it: its j-th occurrence in the
hypothesis counts where some reference has a j-th occurrence as well. So one sort of all occurrences
of (k-gram, j), hypotheses and references together, tells all matches; for self-BLEU an occurrence
counts where it is in two sentences. (In other words: the count in a sentence, clipped at the second
largest count over the set.)

Shapes: S sentences, H hypotheses, N tokens, M occurrences of n-grams of one order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgan.metrics.ngrams import Runs, group, ngram_runs
from seqgan.metrics.tokens import Encoded, Floats, Ints

__all__ = ["Shared", "bleu_scores", "closest_length", "closest_other_length", "matched_ngrams"]

EPSILON = 0.1
"""Matches that smoothing method1 puts in place of none, the default of NLTK."""

Shared: TypeAlias = Callable[[Ints, Ints], NDArray[np.bool_]]
"""From the first and the last sentence that hold an n-gram to whether it is matched: sentences are
numbered, so that the two tell whether it is in two of them, or in a reference and a hypothesis."""


def matched_ngrams(encoded: Encoded, max_order: int, unk: Hashable | None, shared: Shared) -> Ints:
    """Counts the matched (clipped) n-grams of every sentence.

    Args:
        encoded: S sentences; references, where there are any, before the hypotheses.
        max_order: the largest n, in tokens.
        unk: a token that matches nothing, or None.
        shared: what makes an n-gram a match.

    Returns:
        int64 [max_order, S].
    """
    ids = encoded.ids
    if unk is not None and unk in encoded.vocabulary:
        ids = np.where(ids == encoded.vocabulary[unk], -1, ids)
    size = len(encoded)
    matched = np.zeros((max_order, size), dtype=np.int64)

    def keep(runs: Runs) -> NDArray[np.bool_]:
        return shared(runs.first, runs.last)

    for runs, hit in ngram_runs(ids, encoded.owners(), max_order, keep):
        repeated = runs.repeated()
        repeated = repeated[hit[repeated]]
        if repeated.size:
            hit[repeated] = False
            hit[_matched_again(runs, repeated, shared)] = True
        matched[runs.order - 1] = np.bincount(runs.owner[np.flatnonzero(hit)], minlength=size)
    return matched


def _matched_again(runs: Runs, repeated: Ints, shared: Shared) -> Ints:
    """The repeated occurrences that match: those that are the j-th one in another sentence too.

    Args:
        runs: of one order, M occurrences.
        repeated: int64, ascending, not empty: second, third, ... occurrences within one sentence.
        shared: as in `matched_ngrams`.

    Returns:
        int64, a part of `repeated`, in another order.
    """
    # The occurrences of one n-gram in one sentence are neighbours, and the first of them is not
    # among the repeated: a gap in these is where another sentence or n-gram begins.
    begins = np.flatnonzero(np.diff(repeated, prepend=-2) != 1)
    sizes = np.diff(np.append(begins, repeated.size))
    nth = np.arange(repeated.size, dtype=np.int64) - np.repeat(begins, sizes)
    run_of = np.searchsorted(runs.edges, repeated, side="right") - 1
    most = int(nth.max()) + 1
    by_key, edges = group(run_of * most + nth, repeated, runs.edges.size * most)
    again = Runs(runs.order, runs.owner[by_key], edges)
    return by_key[again.spread(shared(again.first, again.last))]


def closest_length(lengths: Ints, references: Ints) -> Ints:
    """The reference length closest to each hypothesis's, the shorter of two equally close.

    Args:
        lengths: int64 [H], tokens of each hypothesis.
        references: int64, not empty, tokens of each reference.

    Returns:
        int64 [H].
    """
    known = np.flatnonzero(np.bincount(references))
    above = np.minimum(np.searchsorted(known, lengths), known.size - 1)
    below = np.maximum(above - 1, 0)
    below_is_nearer = np.abs(lengths - known[below]) <= np.abs(known[above] - lengths)
    return np.where(below_is_nearer, known[below], known[above])


def closest_other_length(lengths: Ints) -> Ints:
    """As `closest_length`, the references of each sentence being all the others.

    Args:
        lengths: int64 [S], tokens of each sentence, S at least 2.

    Returns:
        int64 [S].
    """
    counts = np.bincount(lengths)
    known = np.flatnonzero(counts)
    if known.size == 1:
        return lengths
    # Only where no other sentence has the same length does a neighbouring length take its place.
    far = np.iinfo(np.int64).max
    gaps = np.concatenate(([far], np.diff(known), [far]))
    neighbour = np.where(gaps[:-1] <= gaps[1:], np.roll(known, 1), np.roll(known, -1))
    closest = np.where(counts[known] == 1, neighbour, known)
    return closest[np.searchsorted(known, lengths)]


def bleu_scores(matched: Ints, lengths: Ints, closest: Ints) -> Floats:
    """BLEU-1, BLEU-2, ... of every hypothesis from its counts.

    Args:
        matched: int64 [max_order, H], matched n-grams.
        lengths: int64 [H], tokens of each hypothesis.
        closest: int64 [H], the length of its closest reference, in tokens.

    Returns:
        float64 [max_order, H].
    """
    orders = np.arange(1, len(matched) + 1)[:, None]
    possible = np.maximum(lengths - (orders - 1), 1)
    # All counts are small whole numbers: their logarithms are looked up.
    log_count = np.log(np.arange(max(2, int(lengths.max()) + 1)).clip(min=EPSILON))
    log_precision = log_count[matched] - log_count[possible]
    # An empty hypothesis matches nothing and scores 0; the 1 only avoids a division by 0.
    log_brevity = np.minimum(0.0, 1.0 - closest / np.maximum(lengths, 1))
    scores = np.exp(np.cumsum(log_precision, axis=0) / orders + log_brevity)
    scores[:, matched[0] == 0] = 0.0
    return scores
