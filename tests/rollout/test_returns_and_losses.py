"""Returns, baselines, advantages and losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from rollout import (
    LeaveOneOutBaseline,
    MeanBaseline,
    MovingAverageBaseline,
    NoBaseline,
    advantages,
    clipped_surrogate_loss,
    discounted_returns,
    entropy_bonus,
    kl_to_reference,
    make_baseline,
    nll_loss,
    reinforce_loss,
)

MASK = torch.tensor([[True, True, True], [True, True, False]])
VALUES = torch.tensor([[1.0, 2.0, 3.0], [5.0, 6.0, 99.0]])  # 99 stands in the padding


def test_discounted_returns():
    rewards = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 99.0]])
    assert discounted_returns(rewards, MASK, 0.5).tolist() == [[3.0, 4.0, 4.0], [16.0, 16.0, 0.0]]
    assert discounted_returns(rewards, MASK).tolist() == [[7.0, 6.0, 4.0], [24.0, 16.0, 0.0]]


def test_baselines_by_hand():
    assert NoBaseline()(VALUES, MASK).tolist() == [[0.0] * 3] * 2
    assert MeanBaseline()(VALUES, MASK).tolist() == [[3.0, 4.0, 3.0]] * 2
    # position 2 is reached by the first sequence alone: the other's mean over its tokens, 5.5
    assert LeaveOneOutBaseline()(VALUES, MASK)[0].tolist() == [5.0, 6.0, 5.5]
    assert LeaveOneOutBaseline()(VALUES, MASK)[1, :2].tolist() == [1.0, 2.0]


def test_a_batch_of_one_has_no_others():
    assert LeaveOneOutBaseline()(VALUES[:1], MASK[:1]).tolist() == [[0.0, 0.0, 0.0]]


def test_moving_average_knows_earlier_batches_only_and_survives_a_restart():
    baseline = MovingAverageBaseline(decay=0.5)
    ones = torch.ones(1, 2)
    mask = torch.ones(1, 2, dtype=torch.bool)
    assert baseline(ones * 4, mask).tolist() == [[0.0, 0.0]]
    assert baseline(ones * 8, mask).tolist() == [[4.0, 4.0]]
    # (0.5 * 2 + 0.5 * 8) / 0.75
    again = MovingAverageBaseline(decay=0.5)
    again.load_state_dict(baseline.state_dict())
    for each in (baseline, again):
        assert each(ones, mask)[0, 0].item() == pytest.approx(5 / 0.75)


def test_advantages_end_with_the_sequence_and_can_be_normalised():
    raw = advantages(VALUES, MASK, MeanBaseline())
    assert raw.tolist() == [[-2.0, -2.0, 0.0], [2.0, 2.0, 0.0]]
    normal = advantages(VALUES, MASK, MeanBaseline(), normalize=True)
    assert normal[MASK].pow(2).mean().sqrt().item() == pytest.approx(1.0)


def test_make_baseline_names_the_choices():
    with pytest.raises(ValueError, match="none, mean, leave_one_out, moving_average"):
        make_baseline("median")


LOG_PROB = torch.tensor([[-1.0, -2.0, -3.0], [-4.0, -5.0, -99.0]], requires_grad=True)


def test_nll_counts_tokens_not_padding():
    assert nll_loss(LOG_PROB, MASK).item() == pytest.approx(15 / 5)


def test_reinforce_by_hand():
    advantage = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    loss = reinforce_loss(LOG_PROB, advantage, MASK)
    assert loss.item() == pytest.approx((1 + 4 + 9 + 16 + 25) / 2)
    gradient = torch.autograd.grad(loss, LOG_PROB)[0]
    assert gradient.tolist() == [[-0.5, -1.0, -1.5], [-2.0, -2.5, 0.0]]


def test_clipped_surrogate_by_hand():
    old = torch.zeros(1, 4)
    new = torch.tensor([[1.5, 1.1, 0.5, 0.9]]).log().requires_grad_()
    advantage = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    loss = clipped_surrogate_loss(new, old, advantage, mask, clip=0.2)
    # min(1.5, 1.2) + 1.1 + min(-0.5, -0.8) - 0.9
    assert loss.item() == pytest.approx(-(1.2 + 1.1 - 0.8 - 0.9))
    gradient = torch.autograd.grad(loss, new)[0][0]
    assert gradient[0] == 0 and gradient[2] == 0 and gradient[1] < 0 < gradient[3]


def test_clipped_surrogate_equals_reinforce_at_the_old_policy():
    advantage = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]])
    loss = clipped_surrogate_loss(LOG_PROB, LOG_PROB, advantage, MASK)
    plain = reinforce_loss(LOG_PROB, advantage, MASK)
    a, b = (torch.autograd.grad(x, LOG_PROB)[0] for x in (loss, plain))
    assert torch.allclose(a, b)


def test_padding_cannot_make_a_loss_infinite():
    far = torch.tensor([[0.0, 500.0]], requires_grad=True)
    mask = torch.tensor([[True, False]])
    zeros = torch.zeros(1, 2)
    for loss in (
        clipped_surrogate_loss(far, zeros, zeros + 1, mask),
        kl_to_reference(far, zeros, mask, "k3"),
    ):
        assert loss.isfinite() and torch.autograd.grad(loss, far)[0].isfinite().all()


def test_entropy_bonus_by_hand():
    assert entropy_bonus(VALUES, MASK).item() == pytest.approx(-(1 + 2 + 3 + 5 + 6) / 5)


def test_kl_estimators_by_hand():
    ours, theirs = torch.tensor([[-1.0, -2.0]]), torch.tensor([[-1.5, -1.0]])
    mask = torch.ones(1, 2, dtype=torch.bool)  # r = -0.5, 1.0
    assert kl_to_reference(ours, theirs, mask, "k1").item() == pytest.approx(-0.5)
    assert kl_to_reference(ours, theirs, mask, "k2").item() == pytest.approx(0.125 + 0.5)
    expected = math.exp(-0.5) - 1 + 0.5 + math.exp(1) - 2
    assert kl_to_reference(ours, theirs, mask, "k3").item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="k1, k2 or k3"):
        kl_to_reference(ours, theirs, mask, "k4")


def test_k2_has_the_gradient_of_the_kl_of_a_step():
    theta = torch.tensor([0.3, -0.8, 1.1], dtype=torch.double, requires_grad=True)
    reference = torch.tensor([0.5, 0.1, -0.4], dtype=torch.double).log_softmax(0)
    log_probs = theta.log_softmax(0)
    kl = (log_probs.exp() * (log_probs - reference)).sum()
    exact = torch.autograd.grad(kl, theta, retain_graph=True)[0]
    # the expectation over the policy's own tokens, one sequence of one token each
    expected = torch.zeros(3, dtype=torch.double)
    for token in range(3):
        loss = kl_to_reference(
            log_probs[token].view(1, 1), reference[token].view(1, 1), torch.tensor([[True]])
        )
        gradient = torch.autograd.grad(loss, theta, retain_graph=True)[0]
        expected += log_probs[token].exp().detach() * gradient
    assert torch.allclose(expected, exact)
