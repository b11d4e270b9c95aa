"""Copies of the training data, by hand and by plain search."""

from __future__ import annotations

import numpy as np
import pytest

from seqgan.errors import MetricError
from seqgan.metrics import CopiedLengths, copied_share, longest_copied, ngrams

TRAINING = [["a", "b", "c", "d"], ["e", "a", "b"]]


def by_search(row, training):
    """The longest piece of a row that is a piece of a training row."""
    pieces = {
        tuple(other[i:j])
        for other in training
        for i in range(len(other))
        for j in range(i + 1, len(other) + 1)
    }
    lengths = [
        j - i
        for i in range(len(row))
        for j in range(i + 1, len(row) + 1)
        if tuple(row[i:j]) in pieces
    ]
    return max(lengths, default=0)


def test_by_hand():
    rows = [
        ["a", "b", "c", "d"],  # all of it
        ["x", "e", "a", "b", "c"],  # e a b, and a b c; e a b c is in no single training row
        ["d", "e"],  # d ends one row and e begins the next: not a piece
        ["x", "y"],
        [],
    ]
    assert longest_copied(rows, TRAINING, per_sentence=True).tolist() == [4, 3, 1, 0, 0]
    assert longest_copied(rows, TRAINING) == CopiedLengths(mean=8 / 5, max=4)
    assert copied_share(rows, TRAINING) == 1 / 5


def test_nothing_to_find():
    assert longest_copied([[], []], TRAINING) == CopiedLengths(mean=0, max=0)
    assert longest_copied([["a"]], [[]]) == CopiedLengths(mean=0, max=0)
    assert copied_share([[]], [[]]) == 1


@pytest.mark.parametrize("key_bits", [63, 0])
@pytest.mark.parametrize("seed", range(20))
def test_equals_plain_search(seed, key_bits, monkeypatch):
    monkeypatch.setattr(ngrams, "KEY_BITS", key_bits)
    rng = np.random.default_rng(seed)
    vocabulary = [1, 2, 5, 20][seed % 4]
    training, rows = (
        [rng.integers(0, vocabulary, size=rng.integers(0, 14)).tolist() for _ in range(size)]
        for size in (25, 15)
    )
    expected = [by_search(row, training) for row in rows]
    assert longest_copied(rows, training, per_sentence=True).tolist() == expected


def test_long_copies_take_few_rounds():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 5, size=(20, 3000)).tolist()
    rows = [row[100:2900] for row in training[:5]]
    assert longest_copied(rows, training) == CopiedLengths(mean=2800, max=2800)


def test_what_makes_no_sense_is_a_typed_error():
    for metric in (longest_copied, copied_share):
        with pytest.raises(MetricError, match="training: at least 1"):
            metric([["a"]], [])
        with pytest.raises(MetricError, match="sequences: at least 1"):
            metric([], [["a"]])
        with pytest.raises(MetricError, match="hashable"):
            metric([[["a"]]], [["a"]])
