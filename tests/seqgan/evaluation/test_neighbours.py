"""Nearest sequences, and hidden units with the sequences that excite them."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences
from seqgan.evaluation.neighbours import Neighbours, edits, excited_units
from seqgan.models import make_generator

from ...small import ids, lstm


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)],
)
def test_edits(one, other, count):
    assert edits(one, other) == edits(other, one) == count


def test_nearest_by_hand():
    corpus = ["a red cat", "two dogs run", "a red cat sits", "a red cat"]
    found = Neighbours([line.split() for line in corpus])
    assert found.nearest("a blue cat".split(), 2) == [(0, 1), (2, 2)]
    assert found.nearest("a blue cat".split(), 9) == [(0, 1), (2, 2), (1, 3)]
    assert found.nearest([], 1) == [(0, 3)] and Neighbours([]).nearest(["a"], 2) == []


def test_units_are_found_where_they_are_excited():
    policy = lstm(5, 4, 0, None, 0, embedding=5, hidden=5)

    def features(sequences):
        inputs = torch.cat([torch.zeros(len(sequences), 1, dtype=torch.int64), sequences.tokens], 1)
        return torch.nn.functional.one_hot(inputs[:, :-1], 5).float()

    policy.features = features
    corpus = Sequences(
        torch.tensor([[1, 1, 1, 1], [1, 1, 2, 1], [1, 1, 1, 3]]), torch.full((3,), 4)
    )
    (units,) = excited_units(
        policy, Sequences(torch.tensor([[1, 1, 1, 3]]), torch.tensor([4])), corpus, 1, 1
    )
    # Token 3 is one of twelve: mean 1/12, deviation sqrt(11)/12, so 11 / sqrt(11) deviations.
    assert (units[0].number, units[0].place) == (3, 3)
    assert units[0].strength == pytest.approx(11**0.5, abs=1e-3)
    assert [(each.row, each.place) for each in units[0].examples] == [(2, 3)]


def test_what_comes_after_the_end_excites_nothing():
    from seqgan.config import GENERATORS

    from ...small import small

    policy = make_generator(small(GENERATORS["lstm"]), ids(6, 4), seed=0).eval()
    short = Sequences(torch.tensor([[1, 2, 0, 0], [3, 4, 5, 1]]), torch.tensor([2, 4]))
    other = Sequences(torch.tensor([[1, 2, 5, 5], [3, 4, 5, 1]]), torch.tensor([2, 4]))
    assert excited_units(policy, short, short) == excited_units(policy, other, other)
