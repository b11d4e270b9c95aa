"""Baselines within groups and generalised advantages, by hand and by enumeration."""

from __future__ import annotations

import pytest
import torch

from rollout import (
    LeaveOneOutBaseline,
    MeanBaseline,
    advantages,
    discounted_returns,
    gae,
    make_baseline,
)

from .chains import Chain
from .enumeration import enumerate_chain, exact_gradient

# Groups 7 and 3; 99 and nan stand in the padding.
GROUPS = torch.tensor([7, 3, 7, 3])
LENGTHS = torch.tensor([3, 1, 2, 3])
MASK = torch.arange(3)[None, :] < LENGTHS[:, None]
VALUES = torch.tensor(
    [[1.0, 2.0, 3.0], [10.0, 99.0, 99.0], [5.0, 6.0, torch.nan], [30.0, 7.0, 8.0]]
)


def test_mean_baseline_within_groups_by_hand():
    baseline = MeanBaseline()(VALUES, MASK, GROUPS)
    # group 7, rows 0 and 2: (1 + 5) / 2, (2 + 6) / 2, row 0 alone 3; group 3, rows 1 and 3:
    # (10 + 30) / 2, row 3 alone 7 and 8
    assert baseline[0].tolist() == baseline[2].tolist() == [3.0, 4.0, 3.0]
    assert baseline[1].tolist() == baseline[3].tolist() == [20.0, 7.0, 8.0]


def test_leave_one_out_within_groups_by_hand():
    baseline = LeaveOneOutBaseline()(VALUES, MASK, GROUPS)
    # row 0 compares with row 2: 5, 6, and at position 2, which row 2 does not reach, (5 + 6) / 2
    assert baseline[0].tolist() == [5.0, 6.0, 5.5]
    assert baseline[2, :2].tolist() == [1.0, 2.0]
    assert baseline[1, :1].tolist() == [30.0]
    # row 3 compares with row 1, of one token: its 10 at every position
    assert baseline[3].tolist() == [10.0, 10.0, 10.0]


def test_a_group_of_one_has_no_others():
    baseline = LeaveOneOutBaseline()(VALUES, MASK, torch.tensor([0, 1, 0, 2]))
    assert baseline[1].tolist() == baseline[3].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["none", "mean", "leave_one_out", "moving_average"])
def test_no_groups_are_one_group(name):
    one = make_baseline(name)(VALUES, MASK, torch.zeros(4, dtype=torch.int64))
    none = make_baseline(name)(VALUES, MASK)
    assert torch.allclose(one[MASK], none[MASK])


def test_advantages_hand_the_groups_on():
    result = advantages(VALUES, MASK, MeanBaseline(), groups=GROUPS)
    assert result.tolist() == [[-2, -2, 0], [-10, 0, 0], [2, 2, 0], [10, 0, 0]]


def test_rounding_between_equal_values_is_not_blown_up():
    # in float32 the mean of ten times 0.1 is not 0.1; divided by a spread of 0 it would be 0.4
    values = torch.full((10, 3), 0.1)
    mask = torch.ones(10, 3, dtype=torch.bool)
    for name in ("mean", "leave_one_out"):
        result = advantages(values, mask, make_baseline(name), normalize=True)
        assert result.abs().max() < 1e-3


@pytest.mark.parametrize("name, share", [("none", 1.0), ("mean", 0.5), ("leave_one_out", 1.0)])
def test_group_baselines_keep_the_expected_gradient(name, share):
    """All pairs of sequences (V = 3, T = 3, of one to three tokens) beside a third of its own.

    Two sequences are a group and a third, fixed one is another group. A sequence in its own
    baseline takes away half of the gradient where both sequences reach a position.
    """
    chain = Chain.random(3, 3, eos_id=2, seed=4)
    every = enumerate_chain(chain)
    tokens = every.sequences.tokens.double()
    reward = tokens[:, 0] * tokens[:, 1] + 2.0 * (tokens[:, 1] == tokens[:, 2]) + 3.0
    values = reward[:, None].expand(-1, 3)
    mask, baseline = every.sequences.mask, make_baseline(name)
    total = torch.zeros(every.scores.shape[2], dtype=torch.double)
    fixed, count = 5, len(reward)
    for i in range(count):
        for j in range(count):
            rows = torch.tensor([i, fixed, j])
            result = advantages(values[rows], mask[rows], baseline, groups=torch.tensor([4, 1, 4]))
            own = (result[..., None] * every.scores[rows]).sum(1)
            total += every.probs[i] * every.probs[j] * (own[0] + own[2]) / 2
    exact = exact_gradient(every, reward)
    first = exact.view(4, 3)[3], total.view(4, 3)[3]  # of the first token, which all reach
    assert torch.allclose(first[1], share * first[0], atol=1e-6)
    if share == 1.0:
        assert torch.allclose(total, exact, atol=1e-6)


REWARDS = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 99.0]])
CRITIC = torch.tensor([[0.5, 1.0, 2.0], [4.0, 6.0, 99.0]])
TWO = torch.tensor([[True, True, True], [True, True, False]])


def test_gae_by_hand():
    # row 0, ended: delta = 1 + .5 * 1 - .5, 2 + .5 * 2 - 1, 4 - 2 = 1, 2, 2; factor .5 * .5:
    # A = 2; 2 + .25 * 2 = 2.5; 1 + .25 * 2.5 = 1.625
    # row 1, cut, with 10 to come: delta = 8 + .5 * 6 - 4, 16 + .5 * 10 - 6 = 7, 15:
    # A = 15; 7 + .25 * 15 = 10.75
    result = gae(REWARDS, CRITIC, TWO, 0.5, 0.5, bootstrap=torch.tensor([0.0, 10.0]))
    assert result.tolist() == [[1.625, 2.5, 2.0], [10.75, 15.0, 0.0]]


def test_gae_without_bootstrap_takes_every_sequence_as_ended():
    result = gae(REWARDS, CRITIC, TWO, 0.5, 0.5)
    assert result[1].tolist() == [7 + 0.25 * 10, 16 - 6.0, 0.0]


def test_gae_at_both_ends_of_its_decay():
    cut = torch.tensor([3.0, 10.0])
    returns = discounted_returns(REWARDS, TWO, 0.9)
    left = torch.tensor([[3.0, 2.0, 1.0], [2.0, 1.0, 0.0]])
    with_cut = returns + 0.9**left * cut[:, None]
    long = gae(REWARDS, CRITIC, TWO, 0.9, 1.0, cut)
    assert torch.allclose(long, torch.where(TWO, with_cut - CRITIC, 0.0))
    following = torch.tensor([[1.0, 2.0, 3.0], [6.0, 10.0, 0.0]])
    short = gae(REWARDS, CRITIC, TWO, 0.9, 0.0, cut)
    assert torch.allclose(short, torch.where(TWO, REWARDS + 0.9 * following - CRITIC, 0.0))


def test_gae_is_0_where_the_critic_knows_the_values():
    rewards = torch.tensor([[0.0, 0.0, 5.0]])
    values = torch.tensor([[5.0, 5.0, 5.0]])
    assert gae(rewards, values, torch.ones(1, 3, dtype=torch.bool)).tolist() == [[0.0, 0.0, 0.0]]


def test_gae_has_the_exact_gradient_by_enumeration():
    """With any critic, decay 1 and discount 1 leave the expected gradient as it is."""
    chain = Chain.random(3, 3, eos_id=2, seed=4)
    every = enumerate_chain(chain)
    mask, tokens = every.sequences.mask, every.sequences.tokens.double()
    rewards = torch.where(mask, tokens + 1, 0.0)
    critic = torch.zeros_like(rewards)
    critic[:, 1:] = 3 * tokens[:, :-1] - 1  # depends on the prefix only
    advantage = gae(rewards, critic, mask, 1.0, 1.0)
    found = torch.einsum("n,nt,ntp->p", every.probs, advantage, every.scores)
    assert torch.allclose(found, exact_gradient(every, rewards.sum(1)), atol=1e-6)


@pytest.mark.parametrize("call, said", [
    (lambda: advantages(VALUES[:, 0], MASK, MeanBaseline()), r"values must be \[4, 3\]"),
    (lambda: advantages(VALUES, MASK, MeanBaseline(), groups=GROUPS[:3]), r"groups must be \[4\]"),
    (lambda: discounted_returns(REWARDS, TWO.float()), "mask must be bool"),
    (lambda: gae(REWARDS, CRITIC[:1], TWO), r"values must be \[2, 3\]"),
    (lambda: gae(REWARDS, CRITIC, TWO, bootstrap=CRITIC), r"bootstrap must be \[2\]"),
    (lambda: gae(REWARDS, CRITIC, TWO, decay=1.5), "decay must lie in"),
])  # fmt: skip
def test_wrong_shapes_are_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call()
