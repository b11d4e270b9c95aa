"""The ratio's estimators against sums over all sequences, and its training."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences
from seqgan.config import Ratio
from seqgan.data.prompts import NoPrompts
from seqgan.models import Ensemble
from seqgan.rewards.ratio import RatioReward
from seqgan.training.players import Materials
from seqgan.training.processes import Part
from seqgan.training.ratio import RatioUpdates
from seqgan.training.ratio_batch import RatioBatch
from seqgan.training.runtime import Runtime, make_accelerator

from ..models.test_ensemble import all_sequences, models

OBJECTIVES = ("reverse_kl", "jensen_shannon", "forward_kl")


def player(objective: str, estimator: str, **settings) -> RatioUpdates:
    policy, reference, *members = models(4, seed=5)
    ensemble = Ensemble(members, "minimum").requires_grad_(False)
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    materials = Materials(
        policy, reference, RatioReward(ensemble, policy), None, all_sequences(), NoPrompts(),
        runtime, ensemble=ensemble,
    )  # fmt: skip
    return RatioUpdates(Ratio(objective=objective, estimator=estimator, **settings), materials)


def alone(sequences: Sequences, row: int) -> RatioBatch:
    """A batch of one sequence: its leave-one-out baseline is 0."""
    one = sequences.select(slice(row, row + 1)).trim()
    rows = one.mask.flatten().nonzero()[:, 0]
    return RatioBatch(one, one.mask, Part(0, 1, 1), one, rows)


def expected_gradient(work: RatioUpdates) -> torch.Tensor:
    """The mean over the policy's sequences of the estimate from one."""
    every = all_sequences()
    probs = work.policy(every).log_prob.detach().sum(1).exp()
    total = torch.zeros(sum(p.numel() for p in work.policy.parameters()), dtype=torch.float64)
    for row, prob in enumerate(probs):
        loss, *_ = work.loss(alone(every, row))
        gradients = torch.autograd.grad(loss, list(work.policy.parameters()))
        total += prob * torch.cat([each.flatten() for each in gradients])
    return total


def gradient_of(value: torch.Tensor, work: RatioUpdates) -> torch.Tensor:
    gradients = torch.autograd.grad(value, list(work.policy.parameters()))
    return torch.cat([each.flatten() for each in gradients])


def whole_divergence(work: RatioUpdates, objective: str) -> torch.Tensor:
    """The divergence of the distributions of whole sequences."""
    every = all_sequences()
    log_q = work.policy(every).log_prob.sum(1)
    log_p = work.ensemble(every).log_prob.sum(1)
    if objective == "reverse_kl":
        return (log_q.exp() * (log_q - log_p)).sum()
    if objective == "forward_kl":
        return (log_p.exp() * (log_p - log_q)).sum()
    log_m = torch.logaddexp(log_q, log_p) - torch.log(torch.tensor(2.0))
    return ((log_q.exp() * (log_q - log_m)).sum() + (log_p.exp() * (log_p - log_m)).sum()) / 2


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("estimator", ["exact_to_go", "reinforce"])
def test_the_mean_gradient_is_that_of_the_divergence_of_sequences(objective, estimator):
    work = player(objective, estimator)
    wanted = gradient_of(whole_divergence(work, objective), work)
    assert wanted.abs().max() > 1e-3
    torch.testing.assert_close(expected_gradient(work), wanted, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_exact_is_the_gradient_of_each_step_with_the_prefixes_held_fixed(objective):
    work, every = player(objective, "exact"), all_sequences()
    kept = [0, 1, 2]
    log_q = work.policy.logits(every).log_softmax(-1)[..., kept]
    log_p = work.ensemble.logits(every)[..., kept].detach()
    if objective == "forward_kl":
        each = (log_p.exp() * (log_p - log_q)).sum(-1)
    elif objective == "reverse_kl":
        each = (log_q.exp() * (log_q - log_p)).sum(-1)
    else:
        ratio = work.ensemble(every).log_prob - work.policy(every).log_prob.detach()
        weight = (ratio.cumsum(1) - ratio).sigmoid()[..., None]
        mixture = (weight * log_p.exp() + (1 - weight) * log_q.detach().exp()).log()
        each = (log_q.exp() * (log_q - mixture)).sum(-1) / 2
    probs = work.policy(every).log_prob.detach().sum(1).exp()
    value = (probs * torch.where(every.mask, each, 0.0).sum(1)).sum()
    torch.testing.assert_close(
        expected_gradient(work), gradient_of(value, work), atol=1e-7, rtol=1e-5
    )


@pytest.mark.parametrize("estimator", ["exact", "reinforce"])
def test_the_anchor_adds_the_divergence_from_the_pretrained_policy(estimator):
    plain, anchored = (
        player("reverse_kl", estimator),
        player("reverse_kl", estimator, kl_weight=2.0),
    )
    every = all_sequences()
    log_q, log_p = (
        m.logits(every).log_softmax(-1)[..., :3] for m in (anchored.policy, anchored.reference)
    )
    each = (log_q.exp() * (log_q - log_p.detach())).sum(-1)
    probs = anchored.policy(every).log_prob.detach().sum(1).exp()
    value = (probs * torch.where(every.mask, each, 0.0).sum(1)).sum()
    wanted = 2.0 * gradient_of(value, anchored)
    found = expected_gradient(anchored) - expected_gradient(plain)
    torch.testing.assert_close(found, wanted, atol=1e-7, rtol=1e-5)


def test_the_figures_of_a_step():
    """The mean reward is minus the divergence, and both estimators see the same samples."""
    every = all_sequences()
    for estimator in ("exact", "reinforce"):
        work = player("reverse_kl", estimator)
        probs = work.policy(every).log_prob.detach().sum(1).exp()
        rewards = [float(work.loss(alone(every, i))[1]["mean_reward"]) for i in range(len(every))]
        mean = sum(p * r for p, r in zip(probs.tolist(), rewards, strict=True))
        assert mean == pytest.approx(-float(whole_divergence(work, "reverse_kl").detach()))


def test_a_batch_has_the_mean_of_its_sequences_gradients():
    """Without a baseline, which exact has not; padding counts nothing."""
    work, every = player("reverse_kl", "exact"), all_sequences()
    rows = every.mask.flatten().nonzero()[:, 0]
    batch = RatioBatch(every, every.mask, Part(0, len(every), len(every)), every, rows)
    found = gradient_of(work.loss(batch)[0], work)
    single = [gradient_of(work.loss(alone(every, i))[0], work) for i in range(len(every))]
    torch.testing.assert_close(found, sum(single) / len(every))


def test_training_towards_the_ensemble_reaches_it():
    work = player("reverse_kl", "exact", batch_size=32, optimizer={"learning_rate": 0.02})
    before = float(whole_divergence(work, "reverse_kl").detach())
    work.steps(60)
    assert float(whole_divergence(work, "reverse_kl").detach()) < 0.1 * before
    assert work.spread > 0
