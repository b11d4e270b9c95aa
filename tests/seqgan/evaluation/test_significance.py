"""Interval, p-value and label of a difference, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqgan.evaluation.significance import (
    estimate,
    label,
    practical_size,
    student,
    student_mean,
    unbiased,
)


def test_student_by_hand():
    # mean 2, standard error 1/sqrt(3), 2 degrees of freedom: t(0.975) = 4.302653
    found = student(2.0, 1 / math.sqrt(3), 2)
    half = 4.302653 / math.sqrt(3)
    assert found[:3] == pytest.approx((2, 2 - half, 2 + half), abs=1e-5)
    # with 2 degrees of freedom the two-sided p-value is 1 - t / sqrt(2 + t^2), t = 2 sqrt(3)
    assert found.p_value == pytest.approx(1 - math.sqrt(12 / 14), abs=1e-9)
    assert student_mean([1.0, 2.0, 3.0]) == pytest.approx(found)
    assert student(0.0, 0.0, 1) == (0, 0, 0, 1) and student(0.5, 0.0, 1) == (0.5, 0.5, 0.5, 0)


def test_many_draws_have_percentiles():
    # -1, -0.999 ... 3: 1,001 of 4,001 are not above zero
    found = estimate(1.0, np.linspace(-1, 3, 4001))
    assert found.p_value == pytest.approx(2 * 1002 / 4002)
    assert (found.low, found.high) == pytest.approx((-0.9, 2.9), abs=2e-3)
    assert estimate(0.0, np.zeros(300)).p_value == 1


def test_few_draws_have_a_standard_error_and_a_p_value_that_can_be_small():
    draws = -0.05 + 0.001 * np.array([-1.0, 1.0] * 50)
    error = 0.001 * math.sqrt(100 / 99)
    found = estimate(-0.05, draws)
    # Student's t with 99 degrees of freedom: t(0.975) = 1.984217
    assert found[1:3] == pytest.approx((-0.05 - 1.984217 * error, -0.05 + 1.984217 * error))
    assert found.p_value < 1e-60  # 50 standard errors
    with pytest.raises(ValueError, match="two draws"):
        estimate(1.0, [1.0])


def test_no_draw_beyond_zero_still_tells_how_far_away_it_is():
    draws = 1 + np.linspace(-0.4, 0.4, 300)
    assert estimate(1.0, draws).p_value < 2 / 301 / 10
    # the normal approximation may not make it larger than the share of draws says
    skewed = np.r_[np.full(299, 0.01), 50.0]
    assert estimate(0.2, skewed).p_value == pytest.approx(2 / 301)


@pytest.mark.parametrize("count", [100, 300, 1000, 10_000])
def test_interval_and_p_value_never_contradict_each_other(count):
    rng = np.random.default_rng(0)
    for mean in np.linspace(-3, 3, 121):
        found = estimate(mean, mean + rng.normal(size=count))
        assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)


def test_bias_is_taken_off_the_value_and_twice_off_the_draws():
    # the draws are 2 above the value, so the value is 2 above the truth
    assert unbiased(10.0, [11.0, 13.0]) == (8.0, [7.0, 9.0])


@pytest.mark.parametrize(
    ("metric", "baseline", "size"),
    [("nll", 3.0, 0.003), ("nll", 0.1, 5e-4), ("js", 0.2, 5e-4), ("fed", 0.2, 2e-4)],
)
def test_practical_size(metric, baseline, size):
    assert practical_size(metric, baseline) == pytest.approx(size)


def test_a_label_needs_a_small_p_value_and_a_difference_of_practical_size():
    assert label(-0.1, 0.01, 0.05) == "better" and label(0.1, 0.01, 0.05) == "worse"
    assert label(-0.04, 0.01, 0.05) == label(-0.1, 0.06, 0.05) == "not distinguishable"
    assert label(-0.1, 0.06, 0.05, confidence=0.9) == "better"
