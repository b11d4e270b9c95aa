"""Distinct-n, repetition, unique share and lengths, worked out by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from seqgan.errors import MetricError
from seqgan.metrics import (
    LengthStatistics,
    distinct_n,
    length_statistics,
    repetition,
    unique_share,
)


def ngrams_of(row, order):
    return [tuple(row[i : i + order]) for i in range(len(row) - order + 1)]


def random_rows(seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 3, size=rng.integers(0, 12)).tolist() for _ in range(25)]


def test_distinct_n_by_hand():
    # Unigrams a b a a b: 2 of 5. Bigrams ab ba | ab: 2 of 3. Trigrams aba: 1 of 1. No 4-gram.
    got = distinct_n([["a", "b", "a"], ["a", "b"], []], 4)
    assert got[1] == 2 / 5
    assert got[2] == 2 / 3
    assert got[3] == 1
    assert math.isnan(got[4])


def test_repetition_by_hand():
    # a b a b a: 3 of 5 unigrams repeat; bigrams ab ba ab ba: 2 of 4; trigrams aba bab aba: 1 of 3.
    # The second sequence repeats nothing of its own, the third is empty.
    rows = [["a", "b", "a", "b", "a"], ["a", "b"], []]
    each = repetition(rows, 4, per_sentence=True)
    assert each[1].tolist() == [3 / 5, 0, 0]
    assert each[2].tolist() == [2 / 4, 0, 0]
    assert each[3].tolist() == [1 / 3, 0, 0]
    assert each[4].tolist() == [0, 0, 0]
    assert repetition(rows, 2) == pytest.approx({1: 0.2, 2: 1 / 6})


@pytest.mark.parametrize("seed", range(20))
def test_distinct_and_repetition_equal_plain_counting(seed):
    rows = random_rows(seed)
    distinct, repeats = distinct_n(rows, 4), repetition(rows, 4, per_sentence=True)
    for order in range(1, 5):
        everything = [gram for row in rows for gram in ngrams_of(row, order)]
        assert distinct[order] == len(set(everything)) / len(everything)
        for row, share in zip(rows, repeats[order], strict=True):
            counts = Counter(ngrams_of(row, order))
            assert share == sum(c - 1 for c in counts.values()) / max(1, sum(counts.values()))


def test_unique_share_by_hand():
    assert unique_share([["a", "b"], ["a", "b"], ["b", "a"], []]) == 3 / 4
    assert unique_share(np.array([[1, 2], [1, 2]])) == 1 / 2


def test_length_statistics_by_hand():
    got = length_statistics([["a"] * n for n in (0, 2, 3, 7)])
    assert got == LengthStatistics(mean=3, std=math.sqrt(26 / 4), min=0, median=2.5, max=7)


@pytest.mark.parametrize("metric", [distinct_n, repetition, unique_share, length_statistics])
def test_an_empty_set_is_a_typed_error(metric):
    with pytest.raises(MetricError, match="at least 1 needed"):
        metric([])


def test_a_token_that_cannot_be_hashed_is_a_typed_error():
    with pytest.raises(MetricError, match="hashable"):
        unique_share([[["a"]], [["b"]]])
