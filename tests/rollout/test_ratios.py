"""Density ratios on distributions whose partition function is known."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy.stats import chisquare

from rollout import (
    effective_sample_size,
    importance_weights,
    log_partition,
    rejection_mask,
    resample,
    weighted_mean,
)

RATIOS = torch.tensor([1.0, 2.0, 3.0])
LOG = RATIOS.log()
NONE = -math.inf


def uniforms(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=rng, dtype=torch.float64).clamp(min=1e-12)


def test_weights_by_hand():
    assert importance_weights(LOG).tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert importance_weights(LOG + 2000).tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6], rel=1e-3)
    assert importance_weights(torch.tensor([NONE, 5.0, 5.0])).tolist() == [0.0, 0.5, 0.5]
    assert importance_weights(LOG).dtype == torch.float64


def test_effective_sample_size_by_hand():
    assert effective_sample_size(LOG).item() == pytest.approx(36 / 14)
    assert effective_sample_size(torch.full((7,), -900.0)).item() == pytest.approx(7)
    assert effective_sample_size(torch.tensor([0.0, NONE, NONE])).item() == pytest.approx(1)


def test_log_partition_by_hand():
    found = log_partition(LOG)
    assert found.lower == pytest.approx(math.log(2))
    # leaving one out: means 2.5, 2, 1.5
    without = (math.log(2.5) + math.log(2) + math.log(1.5)) / 3
    assert found.upper == pytest.approx(5 * math.log(2) - 4 * without)
    assert found.estimate == pytest.approx(3 * math.log(2) - 2 * without)
    # r / mean = .5, 1, 1.5: variance .25
    assert found.standard_error == pytest.approx(math.sqrt(0.25 / 3))
    assert found.effective == pytest.approx(36 / 14)


def test_log_partition_moves_with_the_ratios_and_survives_large_ones():
    plain, moved = log_partition(LOG.double()), log_partition(LOG.double() - 5000)
    for name in ("lower", "upper", "estimate"):
        assert getattr(moved, name) == pytest.approx(getattr(plain, name) - 5000)


def test_log_partition_where_one_sample_has_nearly_all_weight():
    # 1 - w is 2e-22 of the sum: log1p(-w) would be -inf
    found = log_partition(torch.tensor([50.0, math.log(0.5), math.log(1.5)]).double())
    without = (2 * 50 - 2 * math.log(2) + math.log(2.0 / 2)) / 3
    lower = 50 - math.log(3)
    assert found.upper == pytest.approx(5 * lower - 4 * without)


def test_log_partition_without_a_bound_says_so():
    for log_ratios in ([3.0], [3.0, NONE]):
        found = log_partition(torch.tensor(log_ratios))
        assert found.lower == pytest.approx(3.0 - math.log(len(log_ratios)))
        assert found.upper == found.estimate == math.inf


def test_equal_ratios_leave_no_doubt():
    found = log_partition(torch.full((5,), 1.25))
    assert found.lower == pytest.approx(1.25) and found.upper == pytest.approx(1.25)
    assert found.standard_error == pytest.approx(0.0, abs=1e-7)


PROBS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
LOG_R = torch.tensor([-0.6, 0.2, 0.9], dtype=torch.float64)
LOG_Z = math.log(PROBS @ LOG_R.exp())


def expected(n):
    """Exact expectations over all samples of size n from PROBS: lower, estimate, upper."""
    totals = torch.zeros(3, dtype=torch.float64)
    for rows in itertools.combinations_with_replacement(range(3), n):
        counts = [rows.count(i) for i in range(3)]
        orders = math.factorial(n)
        for count in counts:
            orders //= math.factorial(count)
        weight = orders * math.prod(float(p) ** c for p, c in zip(PROBS, counts, strict=True))
        found = log_partition(LOG_R[list(rows)])
        totals += weight * torch.tensor([found.lower, found.estimate, found.upper]).double()
    return totals.tolist()


def test_the_bounds_bracket_a_known_log_z_in_expectation():
    spread = float(PROBS @ LOG_R.exp() ** 2) / math.exp(2 * LOG_Z) - 1
    for n in (4, 8, 16, 32):
        lower, estimate, upper = expected(n)
        assert lower < LOG_Z < upper
        assert abs(estimate - LOG_Z) < 0.3 * min(LOG_Z - lower, upper - LOG_Z)
    # the first-order biases -s / n and +s / n, with s = Var(r) / (2 Z^2)
    assert lower - LOG_Z == pytest.approx(-spread / 2 / 32, rel=0.05)
    assert upper - LOG_Z == pytest.approx(spread / 2 / 32, rel=0.1)


def test_the_bias_of_the_jackknife_falls_with_the_square():
    biases = [abs(expected(n)[1] - LOG_Z) for n in (16, 32)]
    assert 3.0 < biases[0] / biases[1] < 6.0


def test_weighted_mean_by_hand():
    # weights 1/6, 2/6, 3/6 of 6, 3, 0: mean 2; errors (4/6)^2 + (2/6)^2 + (6/6)^2 = 56 / 36
    found = weighted_mean(torch.tensor([6.0, 3.0, 0.0]), LOG)
    assert found.mean == pytest.approx(2.0)
    assert found.standard_error == pytest.approx(math.sqrt(56 / 36))
    ignored = weighted_mean(torch.tensor([math.nan, 4.0]), torch.tensor([NONE, 0.0]))
    assert ignored.mean == 4.0 and ignored.standard_error == 0.0


def test_weighted_mean_and_its_error_are_right():
    rounds, n = 400, 500
    draws = torch.multinomial(
        PROBS, rounds * n, replacement=True, generator=torch.Generator().manual_seed(1)
    ).view(rounds, n)
    values = torch.tensor([1.0, 5.0, -2.0]).double()
    found = [weighted_mean(values[rows], LOG_R[rows]) for rows in draws]
    means = torch.tensor([each.mean for each in found])
    target = PROBS * LOG_R.exp() / math.exp(LOG_Z)
    exact = float(target @ values)
    assert abs(means.mean() - exact) < 4 * means.std() / rounds**0.5
    errors = torch.tensor([each.standard_error for each in found])
    assert errors.mean().item() == pytest.approx(means.std().item(), rel=0.15)


def test_resampling_by_hand():
    # cumulated weights 1/6, 1/2, 1
    one = torch.tensor([0.4])
    # points (0.4, 1.4, 2.4, 3.4) / 4 = .1, .35, .6, .85
    assert resample(LOG, 4, one).tolist() == [0, 1, 2, 2]
    u = torch.tensor([0.9, 0.1, 0.1])
    # points .3, 1.1 / 3 = .37, 2.1 / 3 = .7
    assert resample(LOG, 3, u, "stratified").tolist() == [1, 1, 2]
    assert resample(LOG, 3, u, "multinomial").tolist() == [2, 0, 0]
    rows = torch.stack([LOG, LOG.flip(0)])
    both = resample(rows, 3, torch.stack([u, u]), "multinomial")
    # the second row: cumulated 1/2, 5/6, 1
    assert both.tolist() == [[2, 0, 0], [2, 0, 0]]
    assert resample(rows, 4, torch.tensor([[0.4], [0.4]])).tolist() == [[0, 1, 2, 2], [0, 0, 1, 2]]


@pytest.mark.parametrize("method", ["systematic", "stratified", "multinomial"])
def test_resampling_never_takes_a_sample_without_weight(method):
    log_ratios = torch.tensor([NONE, 1.0, NONE, 1.0, NONE])
    for value in (0.0, 1e-12, 0.5, 1 - 2**-53, 1.0):
        count = 1 if method == "systematic" else 6
        numbers = torch.full((count,), value, dtype=torch.float64)
        assert set(resample(log_ratios, 6, numbers, method).tolist()) <= {1, 3}


def test_systematic_resampling_rounds_the_expected_counts():
    rng = torch.Generator().manual_seed(2)
    log_ratios = torch.randn(50, generator=rng).double()
    wanted = 200 * importance_weights(log_ratios)
    for seed in range(20):
        counts = torch.bincount(resample(log_ratios, 200, uniforms(1, seed=seed)), minlength=50)
        assert ((counts - wanted).abs() < 1).all() and counts.sum() == 200


@pytest.mark.parametrize("method", ["systematic", "stratified", "multinomial"])
def test_resampled_frequencies_are_the_weights(method):
    rows, count = 3000, 2
    numbers = uniforms(rows, 1 if method == "systematic" else count, seed=3)
    chosen = resample(LOG_R.expand(rows, 3), count, numbers, method)
    wanted = importance_weights(LOG_R)
    if method == "multinomial":
        counts = torch.bincount(chosen.flatten(), minlength=3)
        assert chisquare(counts, wanted * rows * count).pvalue > 1e-6
    for sample in range(3):
        share = (chosen == sample).double().mean(1)
        assert abs(share.mean() - wanted[sample]) < 4 * share.std() / rows**0.5


def test_resampling_among_candidates_gives_the_target():
    """One of 64 candidates of q, many times: distributed as q r / Z."""
    rows = 4000
    rng = torch.Generator().manual_seed(4)
    candidates = torch.multinomial(PROBS.expand(rows, 3), 64, replacement=True, generator=rng)
    chosen = resample(LOG_R[candidates], 1, uniforms(rows, 1, seed=5))
    counts = torch.bincount(candidates.gather(1, chosen)[:, 0], minlength=3)
    target = PROBS * LOG_R.exp() / math.exp(LOG_Z)
    # the bias of 64 candidates, about 1 / 64 of the spread, is far below what 4,000 draws show
    assert chisquare(counts, target * rows).pvalue > 1e-6


def test_rejection_by_hand():
    log_ratios = torch.tensor([1.0, 2.0, 4.0]).log()
    numbers = torch.tensor([0.26, 0.49, 0.999])
    # accepted with probability 1/4, 2/4, 1
    assert rejection_mask(log_ratios, math.log(4.0) + 1e-6, numbers).tolist() == [False, True, True]
    nothing = rejection_mask(torch.tensor([NONE]), 0.0, torch.tensor([1e-30]))
    assert nothing.tolist() == [False]
    assert rejection_mask(torch.zeros(0), 0.0, torch.zeros(0)).tolist() == []
    with pytest.raises(ValueError, match="log_bound 1.0 is no bound: a log-ratio is 1.38"):
        rejection_mask(log_ratios, 1.0, numbers)


def test_rejection_gives_the_target_and_the_share_z_over_m():
    count = 20_000
    rng = torch.Generator().manual_seed(6)
    samples = torch.multinomial(PROBS, count, replacement=True, generator=rng)
    accepted = rejection_mask(LOG_R[samples], 1.0, uniforms(count, seed=7))
    share = math.exp(LOG_Z - 1)
    error = math.sqrt(share * (1 - share) / count)
    assert abs(float(accepted.double().mean()) - share) < 4 * error
    counts = torch.bincount(samples[accepted], minlength=3)
    target = PROBS * LOG_R.exp() / math.exp(LOG_Z)
    assert chisquare(counts, target * int(accepted.sum())).pvalue > 1e-6


@pytest.mark.parametrize("bad, said", [
    (torch.zeros(0), "there are no samples"),
    (torch.tensor([0.0, math.nan]), r"must not be NaN or \+inf"),
    (torch.tensor([0.0, math.inf]), r"must not be NaN or \+inf"),
    (torch.tensor([NONE, NONE]), "no sample has a weight"),
    (torch.tensor(0.0), "must have 1 dimensions"),
])  # fmt: skip
@pytest.mark.parametrize("function", [
    importance_weights,
    effective_sample_size,
    log_partition,
    lambda log_ratios: weighted_mean(torch.zeros_like(log_ratios), log_ratios),
    lambda log_ratios: resample(log_ratios, 1, torch.tensor([0.5])),
])  # fmt: skip
def test_ratios_that_weigh_nothing_are_errors(function, bad, said):
    with pytest.raises(ValueError, match=said):
        function(bad)


@pytest.mark.parametrize("call, said", [
    (lambda: resample(LOG, 0, torch.zeros(0)), "count must be 1 or more"),
    (lambda: resample(LOG, 2, torch.zeros(2)), r"must be \[1\] for method 'systematic', got \[2\]"),
    (lambda: resample(LOG, 2, torch.zeros(2), "fair"), "systematic, stratified, multinomial"),
    (lambda: resample(LOG[None, None], 1, torch.zeros(1)), "dimensions"),
    (lambda: resample(torch.stack([LOG, LOG * 0 + NONE]), 1, torch.zeros(2, 1)), "no sample has"),
    (lambda: weighted_mean(torch.tensor([1.0, math.nan, 1]), LOG), "finite at samples"),
    (lambda: weighted_mean(LOG[:2], LOG), r"values must be \[3\]"),
    (lambda: rejection_mask(torch.tensor([math.nan]), 0.0, torch.tensor([0.5])), "NaN"),
])  # fmt: skip
def test_wrong_input_is_an_error(call, said):
    with pytest.raises(ValueError, match=said):
        call()
