"""Differences over seeds, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import _columns, combine, holm
from seqgan.evaluation.significance import student

NAMES = {"together": ["t", "t"], "apart": ["t", "u"]}


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04: times 3, 2, 1; the last may not fall below the one before
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == [] and holm([0.2]) == [0.2]


def test_one_seed_has_the_interval_of_its_sequences():
    draws = np.linspace(-1, 3, 4001)
    found = combine([1.0], [draws])
    assert found[:3] == pytest.approx((1.0, -0.9, 2.9), abs=2e-3)
    assert found.seeds == 1 and found.p_value == pytest.approx(2 * 1002 / 4002)


def test_three_seeds_are_no_narrower_than_students_t():
    _, low, high, p_value = student(2.0, float(stats.sem([1.0, 2.0, 3.0])), 2)
    exact = combine([1.0, 2.0, 3.0], [[1.0] * 50, [2.0] * 50, [3.0] * 50])
    # a bootstrap of three seeds that all are above zero never sees zero; t does
    assert exact.low == low < 0 < high == exact.high and exact.p_value == p_value
    # where the seeds agree by chance, the sequences' own noise counts
    rng = np.random.default_rng(0)
    noisy = combine([0.1, 0.1, 0.1], 0.1 + rng.normal(0, 1, (3, 1000)))
    assert noisy.low < -0.9 and noisy.high > 1.1 and noisy.p_value > 0.5


def test_the_null_hypothesis_is_rejected_as_rarely_as_promised():
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(200):
        values = rng.normal(0, 1, 3)
        rejected += combine(values, values[:, None] + rng.normal(0, 0.3, (3, 200))).p_value < 0.05
    assert rejected <= 17  # 5% of 200, and two standard errors


def shared(rng, seeds: int, spread: float, effect: float = 0.0) -> tuple:
    """Differences over seeds that were measured on one test set, whose error is 1."""
    sequences = rng.normal(effect, 20, 400)
    rows = rng.integers(400, size=(300, 400))
    seed = rng.normal(0, spread, seeds)
    return sequences.mean() + seed, sequences[rows].mean(1) + seed[:, None]


@pytest.mark.parametrize("seeds", [3, 5])
def test_seeds_that_share_a_test_set_are_no_more_certain_than_one(seeds):
    """Resampled as if each had its own, a fifth to a half of the trials have an answer."""
    rng, rejected, apart = np.random.default_rng(2), 0, 0
    for trial in range(60):
        differences, draws = shared(rng, seeds, 0.25)
        rejected += combine(differences, draws, seed=trial, test_sets=["t"] * seeds).p_value < 0.05
        apart += combine(differences, draws, seed=trial).p_value < 0.05
    assert rejected <= 7 < apart  # 5% of 60 and 2.4 standard errors


def test_seeds_resampled_by_hand():
    # two seeds whose draws number k are -1 and +1, or +1 and -1: together they are always 0
    draws = [[-1.0, 1.0] * 50, [1.0, -1.0] * 50]
    together = combine([0.0, 0.0], draws, test_sets=["t", "t"])
    apart = combine([0.0, 0.0], draws, test_sets=["t", "u"])
    assert (apart.low, apart.high) == (-1, 1) == (together.low, together.high)
    # with either seed once, the shared draws cancel; apart they may add up
    rows = np.array([[0, 1]] * 100)
    rng = np.random.default_rng(0)
    columns = {name: _columns(rng, rows, names, 100) for name, names in NAMES.items()}
    table = np.asarray(draws)
    assert not table[rows, columns["together"]].mean(1).any()
    assert table[rows, columns["apart"]].mean(1).any()


def test_what_does_not_fit_together():
    with pytest.raises(ValueError, match="2 differences"):
        combine([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="1 test sets"):
        combine([1.0, 2.0], [[1.0, 2.0], [1.0, 2.0]], test_sets=["t"])
    with pytest.raises(ValueError, match="0 differences"):
        combine([], [])
