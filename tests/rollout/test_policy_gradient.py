"""The policy gradient where it can be summed over all sequences: V = 3, T = 3."""

from __future__ import annotations

import pytest
import torch

from rollout import action_values, advantages, generate, make_baseline, reinforce_loss

from .chains import Chain, all_sequences

BATCH, ROUNDS = 8, 1500


def reward(sequences):
    """Not additive over tokens, so that only complete sequences tell it."""
    tokens = sequences.tokens.float()
    return tokens[:, 0] * tokens[:, 1] + 2.0 * (tokens[:, 1] == tokens[:, 2])


def exact_gradient(chain: Chain) -> torch.Tensor:
    batch, weights = all_sequences(chain)
    log_prob = chain(batch).log_prob.sum(1).double()
    value = (weights * reward(batch).double() * log_prob).sum()
    return torch.autograd.grad(value, chain.table)[0].double()


def sampled_gradients(chain: Chain, name: str, rollouts: int) -> torch.Tensor:
    baseline = make_baseline(name)
    rng = torch.Generator().manual_seed(11)
    gradients = []
    for _ in range(ROUNDS):
        batch = generate(chain, BATCH, rng=rng)
        values = action_values(chain, batch, reward, rollouts, rng=rng)
        advantage = advantages(values, batch.mask, baseline)
        loss = reinforce_loss(chain(batch).log_prob, advantage, batch.mask)
        gradients.append(-torch.autograd.grad(loss, chain.table)[0].double())
    return torch.stack(gradients)


@pytest.mark.parametrize("name", ["none", "mean", "leave_one_out", "moving_average"])
def test_mean_gradient_agrees_with_the_sum_over_all_sequences(name):
    chain = Chain.random(3, 3, seed=2)
    exact = exact_gradient(chain)
    # a sequence in its own baseline takes 1 / BATCH of the gradient away
    expected = exact * (1 - 1 / BATCH) if name == "mean" else exact
    gradients = sampled_gradients(chain, name, rollouts=2)
    error = gradients.std(0) / ROUNDS**0.5
    assert exact.abs().max() > 20 * error.max()  # the test can tell a wrong gradient
    assert ((gradients.mean(0) - expected).abs() <= 4 * error + 1e-7).all()


def test_baselines_take_variance_out():
    chain = Chain.random(3, 3, seed=2)
    spread = {
        name: sampled_gradients(chain, name, rollouts=1)[:400].var(0).sum()
        for name in ("none", "leave_one_out")
    }
    assert spread["leave_one_out"] < 0.8 * spread["none"]
