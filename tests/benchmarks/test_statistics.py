"""Differences over seeds, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.statistics import combine, holm, student_interval, tail_p_value


def test_student_by_hand():
    # mean 2, standard error 1/sqrt(3), 2 degrees of freedom: t(0.975) = 4.302653
    low, high, p_value = student_interval([1.0, 2.0, 3.0])
    half = 4.302653 / math.sqrt(3)
    assert (low, high) == pytest.approx((2 - half, 2 + half), abs=1e-5)
    # with 2 degrees of freedom the two-sided p-value is 1 - t / sqrt(2 + t^2), t = 2 sqrt(3)
    assert p_value == pytest.approx(1 - math.sqrt(12 / 14), abs=1e-9)


def test_student_without_spread():
    assert student_interval([0.0, 0.0]) == (0.0, 0.0, 1.0)
    assert student_interval([0.5, 0.5]) == (0.5, 0.5, 0.0)


def test_tail_p_value_by_hand():
    assert tail_p_value([1.0] * 9) == pytest.approx(2 * 1 / 10)
    assert tail_p_value([-1.0] + [1.0] * 8) == pytest.approx(2 * 2 / 10)
    assert tail_p_value([0.0] * 9) == 1.0


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04: times 3, 2, 1; the last may not fall below the one before
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == [] and holm([0.2]) == [0.2]


def test_one_seed_has_the_interval_of_its_sequences():
    draws = np.linspace(-1, 3, 4001)
    found = combine([1.0], [draws])
    assert found[:3] == pytest.approx((1.0, -0.9, 2.9))
    assert found.seeds == 1 and found.p_value == pytest.approx(2 * 1002 / 4002)


def test_three_seeds_are_no_narrower_than_students_t():
    low, high, p_value = student_interval([1.0, 2.0, 3.0])
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


def test_what_does_not_fit_together():
    with pytest.raises(ValueError, match="2 differences"):
        combine([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="0 differences"):
        combine([], [])
