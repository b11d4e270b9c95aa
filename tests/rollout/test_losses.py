"""Losses and their coefficients, by hand and by enumeration."""

from __future__ import annotations

import math

import pytest
import torch

from rollout import (
    AGGREGATIONS,
    AdaptiveEntropy,
    AdaptiveKL,
    aggregate,
    augmented_likelihood_loss,
    clipped_surrogate_loss,
    dpg_weights,
    entropy_bonus,
    kl_to_reference,
    nll_loss,
    reinforce_loss,
    sequence_surrogate_loss,
    truncated_importance_weights,
    value_loss,
    weighted_nll_loss,
)

from .chains import Chain
from .enumeration import enumerate_chain, exact_gradient

MASK = torch.tensor([[True, True, True], [True, False, False]])
TERMS = torch.tensor([[1.0, 2.0, 3.0], [8.0, 99.0, torch.nan]])


@pytest.mark.parametrize("name, expected", [
    ("sequence_sum", (6 + 8) / 2),
    ("sequence_mean", (2 + 8) / 2),
    ("token_mean", (6 + 8) / 4),
    ("constant", (6 + 8) / (2 * 10)),
])  # fmt: skip
def test_aggregations_by_hand(name, expected):
    assert aggregate(TERMS, MASK, name, max_length=10).item() == pytest.approx(expected)
    ones = torch.ones(2, 3, requires_grad=True)
    for loss in (
        -reinforce_loss(ones, TERMS, MASK, aggregation=name, max_length=10),
        -clipped_surrogate_loss(ones, ones, TERMS, MASK, aggregation=name, max_length=10),
    ):
        assert loss.item() == pytest.approx(expected)
        assert torch.autograd.grad(loss, ones)[0][~MASK].tolist() == [0.0, 0.0]


def test_every_aggregation_is_tested_and_unknown_ones_are_named():
    assert AGGREGATIONS == ("sequence_sum", "sequence_mean", "token_mean", "constant")
    with pytest.raises(ValueError, match="sequence_sum, sequence_mean, token_mean, constant"):
        aggregate(TERMS, MASK, "mean")
    with pytest.raises(ValueError, match="max_length of 1 or more, got None"):
        aggregate(TERMS, MASK, "constant")


def test_weighted_nll_by_hand():
    log_prob = torch.tensor([[-1.0, -2.0, -3.0], [-8.0, -99.0, -99.0]])
    # (0.5 * 6 + 3 * 8) / 4
    loss = weighted_nll_loss(log_prob, torch.tensor([0.5, 3.0]), MASK)
    assert loss.item() == pytest.approx(27 / 4)
    assert weighted_nll_loss(log_prob, torch.ones(2), MASK) == nll_loss(log_prob, MASK)


def test_clip_higher_by_hand():
    new = torch.tensor([[1.5, 1.25, 0.5, 1.5]]).log().requires_grad_()
    advantage = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    loss = clipped_surrogate_loss(new, torch.zeros(1, 4), advantage, mask, 0.2, clip_high=0.28)
    # min(1.5, 1.28) + 1.25 + min(-0.5, -0.8) + min(-1.5, -1.28)
    assert loss.item() == pytest.approx(-(1.28 + 1.25 - 0.8 - 1.5))
    gradient = torch.autograd.grad(loss, new)[0][0]
    assert gradient.tolist() == pytest.approx([0.0, -1.25, 0.0, 1.5])


def test_sequence_surrogate_by_hand():
    # ratios of the tokens 2, 1, 4 (product 8, root 2) and 0.9
    new = torch.tensor([[2.0, 1.0, 4.0], [0.9, 1.0, 1.0]]).log()
    new[1, 1:] = torch.nan
    new.requires_grad_()
    old, advantage = torch.zeros(2, 3), torch.tensor([3.0, -1.0])
    root = sequence_surrogate_loss(new, old, advantage, MASK, 0.2, clip_high=2.0)
    assert root.item() == pytest.approx(-(3 * 2 - 0.9) / 2)
    # ds / d log pi = s / L: 2 / 3 per token
    gradient = torch.autograd.grad(root, new)[0]
    assert gradient[0].tolist() == pytest.approx([-1.0, -1.0, -1.0])
    assert gradient[1].tolist() == pytest.approx([0.45, 0.0, 0.0])
    whole = sequence_surrogate_loss(new, old, advantage, MASK, 0.2, clip_high=9, per_token=False)
    assert whole.item() == pytest.approx(-(3 * 8 - 0.9) / 2)
    clipped = sequence_surrogate_loss(new, old, advantage, MASK, 0.2)
    assert clipped.item() == pytest.approx(-(3 * 1.2 - 0.9) / 2)


def test_augmented_likelihood_by_hand():
    log_prob = torch.tensor([[-1.0, -2.0, -3.0], [-8.0, 99.0, torch.nan]], requires_grad=True)
    prior = torch.tensor([[-2.0, -2.0, -4.0], [-5.0, torch.nan, 99.0]])
    loss = augmented_likelihood_loss(log_prob, prior, torch.tensor([0.5, 0.25]), MASK, 4.0)
    # (-8 + 4 * 0.5 + 6)^2 = 0, (-5 + 4 * 0.25 + 8)^2 = 16
    assert loss.item() == pytest.approx((0 + 16) / 2)
    gradient = torch.autograd.grad(loss, log_prob)[0]
    assert gradient.tolist() == [[0.0, 0.0, 0.0], [-4.0, 0.0, 0.0]]


def test_value_loss_by_hand():
    values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 99.0, 99.0]], requires_grad=True)
    targets = torch.tensor([[2.0, 2.0, 1.0], [8.0, -99.0, torch.nan]])
    plain = value_loss(values, targets, MASK)
    assert plain.item() == pytest.approx(0.5 * (1 + 0 + 4 + 16) / 4)
    old = torch.tensor([[0.0, 2.0, 2.5], [1.0, 0.0, 0.0]])
    clipped = value_loss(values, targets, MASK, old_values=old, clip=0.5)
    # clipped values .5, 2, 3, 1.5: errors max(1, 2.25), 0, max(4, 4), max(16, 42.25)
    assert clipped.item() == pytest.approx(0.5 * (2.25 + 0 + 4 + 42.25) / 4)
    gradient = torch.autograd.grad(clipped, values)[0]
    # those that have moved by more than the clip get none; the third has 2 * 0.5 * (3 - 1) / 4
    assert gradient.tolist() == [[0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match="needs old_values"):
        value_loss(values, targets, MASK, clip=0.5)


def test_adaptive_entropy_by_hand():
    controller = AdaptiveEntropy(target=2.0, coefficient=0.1, rate=0.5)
    controller.update(torch.tensor(1.0, requires_grad=True))
    # log c + 0.5 * (2 - 1): the entropy is too low, the bonus grows
    assert controller.coefficient.item() == pytest.approx(0.1 * math.exp(0.5))
    controller.update(torch.tensor(4.0))
    assert controller.coefficient.item() == pytest.approx(0.1 * math.exp(-0.5))
    assert not controller.coefficient.requires_grad


def test_adaptive_kl_by_hand():
    controller = AdaptiveKL(target=4.0, coefficient=1.0, rate=0.5)
    controller.update(torch.tensor(4.4))  # error 0.1
    assert controller.coefficient.item() == pytest.approx(1.05)
    controller.update(torch.tensor(40.0))  # error 9, counts 0.2
    assert controller.coefficient.item() == pytest.approx(1.05 * 1.1)
    controller.update(torch.tensor(0.0))  # error -1, counts -0.2
    assert controller.coefficient.item() == pytest.approx(1.05 * 1.1 * 0.9)


@pytest.mark.parametrize("make", [lambda: AdaptiveEntropy(1.7), lambda: AdaptiveKL(1.7)])
def test_coefficients_survive_a_restart_to_the_bit(make):
    controller, again = make(), make()
    controller.update(torch.tensor(0.3))
    again.load_state_dict(controller.state_dict())
    for each in (controller, again):
        each.update(torch.tensor(2.9))
    assert torch.equal(controller.coefficient, again.coefficient)


def test_coefficients_name_a_wrong_argument():
    with pytest.raises(ValueError, match="target must be above 0"):
        AdaptiveKL(0.0)
    with pytest.raises(ValueError, match="coefficient must be above 0"):
        AdaptiveEntropy(1.0, coefficient=0.0)


def test_truncated_weights_by_hand():
    log_prob = torch.tensor([[2.0, 0.5, 1.0], [8.0, 1.0, 1.0]]).log().requires_grad_()
    old = torch.tensor([[1.0, 1.0, 2.0], [1.0, torch.nan, 1.0]]).log()
    weights = truncated_importance_weights(log_prob, old, MASK, 1.5)
    assert torch.allclose(weights, torch.tensor([[1.5, 0.5, 0.5], [1.5, 0.0, 0.0]]))
    whole = truncated_importance_weights(log_prob, old, MASK, 1.5, per_token=False)
    # 2 * 0.5 * 0.5; 8 is cut
    assert torch.allclose(whole, torch.tensor([[0.5, 0.5, 0.5], [1.5, 0.0, 0.0]]))
    assert not weights.requires_grad
    far = truncated_importance_weights(log_prob + 1000, old, MASK)
    assert far.max() == pytest.approx(2.0)


POLICY = Chain.random(3, 3, eos_id=2, seed=1)
OTHER = Chain.random(3, 3, eos_id=2, seed=2)


def gradient_over(weights, loss_of):
    """Gradient [P] of ``sum_n weights_n loss(sequence n)`` by the policy's table."""
    sequences = enumerate_chain(POLICY).sequences
    log_prob = POLICY(sequences).log_prob.double()
    total = sum(
        weight * loss_of(log_prob[n : n + 1], sequences.mask[n : n + 1], n)
        for n, weight in enumerate(weights)
    )
    return torch.autograd.grad(total, POLICY.table)[0].double().flatten()


def test_stale_samples_with_weights_of_whole_sequences_give_the_exact_gradient():
    policy, other = enumerate_chain(POLICY), enumerate_chain(OTHER)
    old = OTHER(policy.sequences).log_prob.detach().double()
    reward = policy.sequences.tokens.double().sum(1) + 1

    def loss(log_prob, mask, n):
        weights = truncated_importance_weights(log_prob, old[n : n + 1], mask, 1e9, per_token=False)
        return reinforce_loss(log_prob, weights * reward[n], mask)

    found = -gradient_over(other.probs, loss)
    assert torch.allclose(found, exact_gradient(policy, reward), atol=1e-5)


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_expected_gradients_of_the_aggregations(name):
    """Batches of one sequence: the exact gradient, or that of the reward over the length."""
    policy = enumerate_chain(POLICY)
    reward = policy.sequences.tokens.double().sum(1) + 1

    def loss(log_prob, mask, n):
        return reinforce_loss(log_prob, reward[n] * mask, mask, aggregation=name, max_length=5)

    scale = {"sequence_sum": 1, "constant": 1 / 5}.get(name, 1 / policy.sequences.lengths)
    found = -gradient_over(policy.probs, loss)
    assert torch.allclose(found, (policy.probs * reward * scale) @ policy.scores.sum(1), atol=1e-5)


def test_the_whole_ratio_without_a_clip_has_the_exact_gradient_on_stale_samples():
    policy, other = enumerate_chain(POLICY), enumerate_chain(OTHER)
    old = OTHER(policy.sequences).log_prob.detach().double()
    reward = policy.sequences.tokens.double().sum(1) + 1

    def loss(log_prob, mask, n):
        rows = slice(n, n + 1)
        return sequence_surrogate_loss(
            log_prob, old[rows], reward[rows], mask, clip=0.999, clip_high=1e9, per_token=False
        )

    found = -gradient_over(other.probs, loss)
    assert torch.allclose(found, exact_gradient(policy, reward), atol=1e-5)


def test_weighted_likelihood_on_own_samples_is_the_likelihood_of_the_target():
    policy, target = enumerate_chain(POLICY), enumerate_chain(OTHER)
    weights = target.probs / policy.probs

    def loss(log_prob, mask, n):
        return weighted_nll_loss(log_prob, weights[n : n + 1], mask) * mask.sum()

    found = -gradient_over(policy.probs, loss)
    assert torch.allclose(found, target.probs @ policy.scores.sum(1), atol=1e-5)


def test_dpg_weights_by_hand():
    target, policy, proposal = (torch.tensor(x).log() for x in ([6.0, 1], [0.5, 0.2], [0.25, 0.4]))
    weights = dpg_weights(target, policy, math.log(4))
    assert weights.tolist() == pytest.approx([6 / (4 * 0.5) - 1, 1 / (4 * 0.2) - 1])
    weights = dpg_weights(target, policy, math.log(4), proposal)
    assert weights.tolist() == pytest.approx([6 / (4 * 0.25) - 2, 1 / (4 * 0.4) - 0.5])


@pytest.mark.parametrize("on_policy", [True, False])
def test_dpg_is_the_likelihood_gradient_of_the_target(on_policy):
    policy, target = enumerate_chain(POLICY), enumerate_chain(OTHER)
    log_target = target.probs.log() + 1.3  # an unnormalised model with log Z = 1.3
    proposal = enumerate_chain(Chain.random(3, 3, eos_id=2, seed=7)).probs
    proposal = policy.probs if on_policy else proposal
    weights = dpg_weights(
        log_target, policy.probs.log(), 1.3, None if on_policy else proposal.log()
    )
    assert (proposal @ weights).item() == pytest.approx(0.0, abs=1e-6)
    found = (proposal * weights) @ policy.scores.sum(1)
    assert torch.allclose(found, target.probs @ policy.scores.sum(1), atol=1e-5)


ROW = torch.zeros(2)


@pytest.mark.parametrize("call, said", [
    (lambda: nll_loss(TERMS[:, :1], MASK), r"log_prob must be \[2, 3\]"),
    (lambda: weighted_nll_loss(TERMS, TERMS, MASK), r"weights must be \[2\]"),
    (lambda: reinforce_loss(TERMS, ROW[:, None], MASK), r"advantage must be \[2, 3\]"),
    (lambda: clipped_surrogate_loss(TERMS, TERMS, ROW, MASK), r"advantage must be \[2, 3\]"),
    (lambda: sequence_surrogate_loss(TERMS, TERMS, TERMS, MASK), r"advantage must be \[2\]"),
    (lambda: augmented_likelihood_loss(TERMS, TERMS, TERMS, MASK), r"scores must be \[2\]"),
    (lambda: value_loss(TERMS, ROW, MASK), r"targets must be \[2, 3\]"),
    (lambda: entropy_bonus(ROW, MASK), r"entropy must be \[2, 3\]"),
    (lambda: kl_to_reference(TERMS, ROW, MASK), r"reference_log_prob must be \[2, 3\]"),
    (lambda: dpg_weights(ROW, ROW[:1], 0.0), r"log_policy must be \[2\]"),
    (lambda: truncated_importance_weights(TERMS, TERMS, MASK, 0.0), "limit must be above 0"),
])  # fmt: skip
def test_wrong_shapes_are_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call()
