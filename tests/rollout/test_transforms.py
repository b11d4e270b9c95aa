"""Transforms of values, by hand and by enumeration."""

from __future__ import annotations

import math

import pytest
import torch

from rollout import TRANSFORMS, advantages, make_baseline

from .chains import Chain
from .enumeration import enumerate_chain

MASK = torch.tensor([[True, True], [True, False], [True, True]])
GROUPS = torch.tensor([5, 5, 2])


def apply(name, values, mask=MASK, groups=None):
    return TRANSFORMS[name](torch.tensor(values), mask, groups)


def test_none_changes_nothing_but_the_padding():
    result = apply("none", [[1.0, 2.0], [3.0, math.nan], [5.0, 6.0]])
    assert result.tolist() == [[1.0, 2.0], [3.0, 0.0], [5.0, 6.0]]


def test_maligan_by_hand():
    # r = 1, 3 | 2, 2 (ended, goes on) | 5, 4: sums 8 and 9
    values = torch.tensor([[1.0, 3.0], [2.0, 9.0], [5.0, 4.0]]).log().tolist()
    result = apply("maligan", values)
    expected = [[3 / 8 - 1, 9 / 9 - 1], [6 / 8 - 1, 0.0], [15 / 8 - 1, 12 / 9 - 1]]
    assert torch.allclose(result, torch.tensor(expected), atol=1e-6)
    # the first two are a group: sums 3 and 5; the third alone has weight 1
    grouped = apply("maligan", values, groups=GROUPS)
    expected = [[2 / 3 - 1, 6 / 5 - 1], [4 / 3 - 1, 0.0], [0.0, 0.0]]
    assert torch.allclose(grouped, torch.tensor(expected), atol=1e-6)


def test_maligan_after_a_given_beginning_goes_on_with_the_last_value():
    # a token was given to each; the first sequence ends with odds of 3, which stand beside 1 then
    odds = torch.tensor([[9.0, 3.0, 99.0], [9.0, 5.0, 1.0]]).log()
    mask = torch.tensor([[False, True, False], [False, True, True]])
    result = TRANSFORMS["maligan"](odds, mask, None)
    expected = [[0, 2 * 3 / 8 - 1, 0], [0, 2 * 5 / 8 - 1, 2 * 1 / 4 - 1]]
    assert torch.allclose(result, torch.tensor(expected))


def test_maligan_survives_large_log_odds():
    result = apply("maligan", [[1000.0, 1000.0], [-1000.0, 0.0], [1000.0, 0.0]])
    assert torch.allclose(result[:, 0], torch.tensor([0.5, -1.0, 0.5]))


def test_maligan_is_the_likelihood_gradient_where_the_odds_are_right():
    """With r = p / q, all sequences weighted by q give the gradient of E_p[log q]."""
    policy, target = (enumerate_chain(Chain.random(3, 3, eos_id=2, seed=s)) for s in (1, 2))
    ratio = target.probs / policy.probs
    mask = policy.sequences.mask
    values = ratio.log()[:, None].expand(-1, 3).clone()
    # a batch of all sequences weighted by q: sum_i q_i r_i = 1 stands for the mean over samples
    weights = TRANSFORMS["maligan"](values, mask, None)
    n = len(ratio)
    normaliser = ratio.sum() / n
    found = torch.einsum("n,nt,ntp->p", policy.probs, (weights + 1) * normaliser, policy.scores)
    exact = target.probs @ policy.scores.sum(1)
    assert torch.allclose(found, exact, atol=1e-6)


def scaled(place, n):
    return 1 / (1 + math.exp(-16 * (0.5 - place / n)))


def test_rank_by_hand():
    # position 0: ranks of 1, 1, 7 are 2.5, 2.5, 1; position 1, two sequences: 9 before 4
    result = apply("rank", [[1.0, 4.0], [1.0, 99.0], [7.0, 9.0]])
    expected = [
        [scaled(2.5, 3), scaled(2, 2)],
        [scaled(2.5, 3), 0],
        [scaled(1, 3), scaled(1, 2)],
    ]
    assert torch.allclose(result, torch.tensor(expected))
    grouped = apply("rank", [[1.0, 4.0], [2.0, 99.0], [7.0, 9.0]], groups=GROUPS)
    expected = [[scaled(2, 2), scaled(1, 1)], [scaled(1, 2), 0], [scaled(1, 1)] * 2]
    assert torch.allclose(grouped, torch.tensor(expected))


def test_rank_sorts_and_knows_nothing_but_the_order():
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(20, 4, generator=rng)
    mask = torch.ones(20, 4, dtype=torch.bool)
    ranked = TRANSFORMS["rank"](values, mask, None)
    assert torch.equal(ranked.argsort(0), values.argsort(0))
    assert torch.equal(ranked, TRANSFORMS["rank"](values.exp() * 100 + 3, mask, None))


def test_standardise_by_hand():
    # tokens 1, 3, 3, 5, 3: mean 3, variance (4 + 4) / 5
    result = apply("standardise", [[1.0, 3.0], [3.0, 99.0], [5.0, 3.0]])
    unit = math.sqrt(5 / 8)
    expected = [[-2 * unit, 0.0], [0.0, 0.0], [2 * unit, 0.0]]
    assert torch.allclose(result, torch.tensor(expected))


def test_group_standardise_is_grpo_by_hand():
    # rewards 1, 4 (one token), 7: mean 4, variance (9 + 9) / 3 = 6; over tokens it would be 4
    # with variance 36 / 5
    values = [[1.0, 1.0], [4.0, 99.0], [7.0, 7.0]]
    unit = 3 / math.sqrt(6)
    expected = torch.tensor([[-unit, -unit], [0.0, 0.0], [unit, unit]])
    assert torch.allclose(apply("group_standardise", values), expected)
    # in groups: 1 and 4, mean 2.5, deviation 1.5; 7 alone has no deviation
    expected = torch.tensor([[-1.0, -1.0], [1.0, 0.0], [0.0, 0.0]])
    assert torch.allclose(apply("group_standardise", values, groups=GROUPS), expected)
    # without the division, Dr. GRPO
    expected = torch.tensor([[-1.5, -1.5], [1.5, 0.0], [0.0, 0.0]])
    assert torch.allclose(apply("group_centre", values, groups=GROUPS), expected)


def test_every_sequence_counts_once_in_a_group():
    # rewards 0 (one token) and 8 (two tokens): mean 4, not 16 / 3
    result = apply("group_centre", [[8.0, 8.0], [0.0, 99.0], [1.0, 1.0]], groups=GROUPS)
    assert result.tolist() == [[4.0, 4.0], [-4.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("name", ["standardise", "group_standardise"])
def test_equal_values_become_0(name):
    values = torch.full((10, 3), 0.1)
    mask = torch.ones(10, 3, dtype=torch.bool)
    mask[3, 1:] = False
    result = TRANSFORMS[name](values, mask, None)
    assert torch.equal(result, torch.zeros(10, 3))


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_padding_other_groups_and_order_never_matter(name):
    rng = torch.Generator().manual_seed(3)
    lengths = torch.tensor([3, 1, 2, 3, 2, 1])
    mask = torch.arange(3)[None, :] < lengths[:, None]
    values = torch.randn(6, 3, generator=rng)
    groups = torch.tensor([0, 0, 0, 9, 9, 9])
    result = TRANSFORMS[name](values.requires_grad_(), mask, groups)
    assert not result.requires_grad and result.dtype == values.dtype
    assert torch.equal(result[~mask], torch.zeros(int((~mask).sum())))
    other = torch.where(mask, values.detach(), torch.nan)
    assert torch.equal(TRANSFORMS[name](other, mask, groups), result)
    order = torch.randperm(6, generator=rng)
    moved = TRANSFORMS[name](values[order], mask[order], groups[order])
    assert torch.allclose(moved, result[order], atol=1e-6)
    if name != "standardise":  # which is defined over the whole batch
        other[3:] *= 50
        assert torch.allclose(TRANSFORMS[name](other, mask, groups)[:3], result[:3])


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_a_baseline_may_follow(name):
    values = TRANSFORMS[name](torch.tensor([[1.0, 2.0], [3.0, 0.0], [5.0, 9.0]]), MASK, None)
    assert advantages(values, MASK, make_baseline("mean")).isfinite().all()
    with pytest.raises(ValueError, match="values must be"):
        TRANSFORMS[name](values[:, :1], MASK, None)
