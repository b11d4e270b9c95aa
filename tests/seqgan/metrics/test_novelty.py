"""Copies of the training data, by hand and by plain search."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from seqgan.data.text import rows as rows_module
from seqgan.data.text.rows import TokenRows
from seqgan.errors import MetricError
from seqgan.metrics import CopiedLengths, copied_share, longest_copied, ngrams, novelty

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


@pytest.mark.parametrize("part", [1, 7, 50])
def test_a_training_set_in_parts_gives_the_same(part, monkeypatch):
    rng = np.random.default_rng(part)
    training, rows = (
        [rng.integers(0, 3, size=rng.integers(0, 9)).tolist() for _ in range(size)]
        for size in (40, 25)
    )
    rows += training[:5]
    whole = longest_copied(rows, training, per_sentence=True).tolist()
    share = copied_share(rows, training)
    assert share == sum(row in training for row in rows) / 30 > 5 / 30
    monkeypatch.setattr(novelty, "PART", part)
    read = TokenRows(40, lambda chosen: [training[row] for row in chosen])
    for form in (training, read, np.array(training, dtype=object)):
        assert longest_copied(rows, form, per_sentence=True).tolist() == whole
        assert copied_share(rows, form) == share


def test_memory_does_not_grow_with_the_training_set(monkeypatch):
    monkeypatch.setattr(novelty, "PART", 10_000)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50, size=(100, 20)).tolist()

    def peak(count):
        lazy = TokenRows(count, lambda chosen: rng.integers(0, 50, size=(len(chosen), 20)).tolist())
        tracemalloc.start()
        longest_copied(rows, lazy)
        copied_share(rows, lazy)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    monkeypatch.setattr(rows_module, "READ", 500)
    assert peak(20_000) < 1.2 * peak(2_000)


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
