"""Distillation of a reweighted policy, where its exact density is known."""

from __future__ import annotations

import pytest
import torch

from rollout import ConstantReward, Sequences
from rollout.modules import frozen_copy
from seqgan.config import Distill, Ratio
from seqgan.data.prompts import NoPrompts
from seqgan.errors import RewardError
from seqgan.rewards.terms import Term, Terms
from seqgan.training.distill import Distillation
from seqgan.training.players import Materials
from seqgan.training.ratio import RatioUpdates
from seqgan.training.runtime import Runtime, make_accelerator

from ..models.test_ensemble import all_sequences, models


def zeros(sequences: Sequences) -> torch.Tensor:
    """A reward: how often token 0 stands in a sequence."""
    return ((sequences.tokens == 0) & sequences.mask).sum(1).double()


def player(reward=zeros, **settings) -> Distillation:
    (policy,) = models(1, seed=7)
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    usual = {"samples": 4000, "real_share": 0.0, "batch_size": 64}
    materials = Materials(
        policy, frozen_copy(policy), reward, None, all_sequences(), NoPrompts(), runtime
    )
    return Distillation(Distill(**(usual | settings)), materials)


def player_of_a_reward(reward) -> RatioUpdates:
    """REINFORCE with another reward than the ratio."""
    (policy,) = models(1, seed=7)
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    materials = Materials(
        policy, frozen_copy(policy), reward, None, all_sequences(), NoPrompts(), runtime
    )
    return RatioUpdates(Ratio(estimator="reinforce", batch_size=8), materials)


def target(work: Distillation, beta: float) -> torch.Tensor:
    """p exp(beta f) / Z of all sequences, by enumeration."""
    every = all_sequences()
    log_p = work.reference(every).log_prob.sum(1) + beta * zeros(every)
    return log_p.log_softmax(0)


def divergence(work: Distillation, beta: float) -> float:
    wanted = target(work, beta)
    log_q = work.policy(all_sequences()).log_prob.detach().sum(1)
    return float((wanted.exp() * (wanted - log_q)).sum())


def test_weights_are_those_of_the_reweighted_density():
    work = player(beta=1.5)
    pool = work.pool()
    every, probs = all_sequences(), target(work, 1.5).exp()
    for row, prob in zip(every.to_lists(), probs.tolist(), strict=True):
        mine = torch.tensor([each == row for each in pool.to_lists()])
        assert float(work.weights[mine].sum()) / len(pool) == pytest.approx(prob, abs=0.02)
    assert float(work.weights.mean()) == pytest.approx(1)
    assert work.spread == pytest.approx(float(work.weights.std(unbiased=False)))


def test_the_policy_learns_the_reweighted_density():
    work = player(beta=1.0, optimizer={"learning_rate": 0.02, "decay_steps": 150})
    before = divergence(work, 1.0)
    work.steps(150)
    assert divergence(work, 1.0) < 0.1 * before


def test_a_constant_reward_is_self_distillation():
    work = player(ConstantReward(1.0))
    work.pool()
    assert torch.equal(work.weights, torch.ones(4000)) and work.spread == 0
    work.steps(30)
    assert divergence(work, 0.0) < 0.01


def test_a_reward_out_of_terms_is_judged_once_as_in_all_players():
    counted = []
    reward = Terms(
        [Term("zeros", 1.0, lambda s: counted.append(len(s)) or zeros(s), "standardise")]
    )
    work = player(reward, samples=50, beta=1.5)
    values = zeros(work.pool())
    standard = 1.5 * (values - values.mean()) / values.std(unbiased=False)
    torch.testing.assert_close(work.weights.double(), 50 * standard.softmax(0), rtol=1e-5, atol=0)
    assert counted == [50]


@pytest.mark.parametrize("make", [player, player_of_a_reward])
def test_a_reward_that_fails_is_one_clear_error(make):
    def broken(sequences: Sequences) -> torch.Tensor:
        raise ZeroDivisionError("no reward today")

    with pytest.raises(RewardError, match="the reward: broken raised ZeroDivisionError: no reward"):
        make(broken).steps(1)


def test_a_budget_limits_the_samples():
    work = player(samples=100)
    work.judge.budget, work.judge.reward = 40, Terms([Term("x", 1.0, zeros)])
    assert work.judge.affordable(100) == 40 and work.judge.affordable(7) == 7


def test_new_samples_are_of_the_policy_and_end_with_the_budget():
    def scored(sequences: Sequences) -> torch.Tensor:
        counted.append(len(sequences))
        return zeros(sequences)

    counted: list[int] = []
    work = player(samples=30, refresh=2, optimizer={"learning_rate": 0.02})
    work.judge.reward = Terms([Term("x", 1.0, scored)])
    shown: list[int] = []
    work.judge.end_step = lambda step, *_: shown.append(step)
    work.steps(2)
    first = work.pool()
    assert work.source is work.reference and shown == [0] and not work.done
    work.steps(1)
    assert work.source is work.policy and shown == [0, 2]
    assert not torch.equal(first.tokens, work.pool().tokens)
    pool = work.pool()
    other = player(samples=30, refresh=2)
    other.load_state_dict(work.state_dict())
    assert torch.equal(other.pool().tokens, pool.tokens)
    other.soften()  # the samples of a policy that went wrong are not learnt from
    third = player(samples=30, refresh=2)
    third.load_state_dict(other.state_dict())
    for each in (other, third):
        each.policy.head.weight.data.zero_()
        each.steps(1)
        assert not torch.equal(each.pool().tokens, pool.tokens) and not each.stale
    # what was judged is taken off the budget; with nothing left, the next samples are the end
    work.judge.budget, work.judge.calls = 70, 60
    assert work.judge.affordable(30, again=False) == 10 and work.judge.affordable(30) == 30
    work.judge.calls, work.progress.number = 70, 3
    assert not work.done
    work.progress.number = 4
    assert work.done
    work.steps(3)
    assert work.progress.number == 4


def test_it_resumes_exactly():
    whole, first, second = (player(samples=100, real_share=0.3) for _ in range(3))
    whole.steps(6)
    first.steps(2)
    second.policy.load_state_dict(first.policy.state_dict())
    second.load_state_dict(first.state_dict())
    second.steps(4)
    for found, wanted in zip(second.policy.parameters(), whole.policy.parameters(), strict=True):
        assert torch.equal(found, wanted)
