"""Rewards per token that look ahead: refused, or counted as rewards of the sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor

from rollout import (
    DiscriminatorReward,
    MixtureReward,
    RewardError,
    Sequences,
    action_values,
    advantages,
    generate,
    make_baseline,
    reinforce_loss,
)
from rollout.causality import variants_of
from rollout.environments.env import TokenGenerationEnv
from rollout.environments.vector_env import TokenGenerationVectorEnv
from rollout.rewards import reward_values

from .chains import Chain, all_sequences

EOS = 3


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(eq=False)
class PerToken:
    """A reward per token that keeps count of its calls."""

    function: Callable[[Sequences], Tensor]
    causal: bool = True
    per_token: bool = True
    sizes: list[int] = field(default_factory=list)

    def __call__(self, sequences: Sequences) -> Tensor:
        self.sizes.append(len(sequences))
        return self.function(sequences)


WEIGHTS = torch.tensor([0.3, -1.0, 2.0, 0.7])


def own_token(sequences):
    places = 1.0 + torch.arange(sequences.tokens.shape[1])
    return WEIGHTS[sequences.tokens] * places


def so_far(sequences):
    return (sequences.tokens * sequences.mask).cumsum(1).float()


def eos_counts_double(sequences):
    last = (sequences.lengths - 1)[:, None] == torch.arange(sequences.tokens.shape[1])
    return own_token(sequences) * (1.0 + (last & sequences.terminated[:, None]))


def with_the_length(sequences):
    return own_token(sequences) + 0.3 * sequences.lengths[:, None]


def with_the_next(sequences):
    following = torch.nn.functional.pad(sequences.tokens[:, 1:], (0, 1))
    return own_token(sequences) * (1.0 + following)


def if_it_ends(sequences):
    return own_token(sequences) * (1.0 + sequences.terminated.float())[:, None]


def with_the_last(sequences):
    last = sequences.tokens.gather(1, sequences.lengths[:, None] - 1)
    return so_far(sequences) + 0.01 * last


CAUSAL = [own_token, so_far, eos_counts_double]
AHEAD = [with_the_length, with_the_next, if_it_ends, with_the_last]


def a_batch(count: int = 20) -> tuple[Chain, Sequences]:
    chain = Chain.random(4, 5, EOS)
    return chain, generate(chain, count, rng=seeded(3))


@pytest.mark.parametrize("function", AHEAD)
def test_a_reward_that_looks_ahead_is_refused(function):
    chain, batch = a_batch()
    with pytest.raises(RewardError, match=r"token \d \(from 0\) gets .* causal = False"):
        action_values(chain, batch, PerToken(function), 2, rng=seeded(0))
    with pytest.raises(RewardError, match="PerToken judges tokens by what comes after them"):
        MixtureReward([(1.0, PerToken(function)), (0.5, PerToken(own_token))])(batch)


@pytest.mark.parametrize(
    ("vector", "function"),
    [
        *((True, function) for function in AHEAD),
        # One sequence at a time has no other one that ends otherwise.
        *((False, function) for function in AHEAD if function is not if_it_ends),
    ],
)
def test_environments_refuse_it_too(function, vector):
    settings = {"vocab_size": 4, "max_length": 5, "eos_id": EOS}
    random = np.random.default_rng(0)
    reward = PerToken(function)
    env = (
        TokenGenerationVectorEnv(reward, num_envs=8, **settings)
        if vector
        else TokenGenerationEnv(reward, **settings)
    )
    env.reset(seed=0)
    with pytest.raises(RewardError, match="causal = False"):
        for _ in range(200):
            _, _, terminated, truncated, _ = env.step(random.integers(4, size=8 if vector else ()))
            if not vector and (terminated or truncated):
                env.reset()


def test_the_message_shows_the_two_sequences():
    batch = Sequences.from_lists([[1, 2, 0], [2, 1, 1]], pad_id=0)
    with pytest.raises(RewardError) as error:
        reward_values(PerToken(with_the_next), batch)
    # The weight of 2, twice for its place, times 1 + the next token.
    assert (
        "token 1 (from 0) gets 4 in the sequence of token ids [1, 2, 0] and 8 in the sequence of "
        "token ids [1, 2, 1], which are equal up to it"
    ) in str(error.value)


@pytest.mark.parametrize("function", CAUSAL)
def test_causal_rewards_pass_and_are_tried_once(function):
    _, batch = a_batch()
    reward = PerToken(function)
    values = [reward_values(reward, batch) for _ in range(3)]
    assert len(reward.sizes) == 4 and sorted(reward.sizes)[:3] == [20] * 3
    assert max(reward.sizes) <= 68  # some sequences of a few
    assert all(torch.equal(each, function(batch) * batch.mask) for each in values)


def test_it_is_tried_again_while_a_batch_says_nothing():
    reward = PerToken(with_the_next)
    reward_values(reward, Sequences.from_lists([[1], [2]], pad_id=0))  # no later tokens
    reward_values(reward, Sequences.from_lists([[1, 2], [1, 2]], pad_id=0))  # no other ones
    assert reward.sizes == [2, 2]
    with pytest.raises(RewardError, match="causal = False"):
        reward_values(reward, Sequences.from_lists([[1, 2], [1, 3]], pad_id=0))


def test_another_reward_at_the_same_place_in_memory_is_tried():
    batch = Sequences.from_lists([[1, 2, 0], [2, 1, 1]], pad_id=0)
    for _ in range(20):
        for _ in range(10):
            reward_values(PerToken(own_token), batch)  # freed at once
        with pytest.raises(RewardError):
            reward_values(PerToken(with_the_next), batch)


def test_variants_are_made_of_what_occurs():
    batch = Sequences.from_lists([[5, 6, 7, 9], [8, 9], [5, 5, 5, 5]], pad_id=0)
    batch = Sequences(batch.tokens, batch.lengths, torch.tensor([True, True, False]), batch.tokens)
    variants = variants_of(batch)
    rows = variants.sequences.to_lists()
    assert rows[:6] == batch.to_lists() * 2
    made = list(zip(variants.originals.tolist(), variants.kept.tolist(), rows[6:], strict=True))
    assert made[:7] == [
        (0, 1, [5, 9]),  # as the second goes on, which is how it ends by EOS, too
        (0, 1, [5, 5, 5, 5]),
        (0, 1, [5, 7, 6, 9]),
        (0, 2, [5, 6, 5, 5]),
        (0, 2, [5, 6, 9]),
        (0, 3, [5, 6, 7, 5]),
        (1, 1, [8, 6, 7, 9]),
    ]
    ended = [row[-1] == 9 for row in rows]
    assert variants.sequences.terminated.tolist() == ended
    assert torch.equal(variants.sequences.condition[6:], batch.tokens[variants.originals])
    assert variants.sequences.tokens.shape[1] == 4


def test_noise_is_no_looking_ahead():
    _, batch = a_batch()
    noise = torch.Generator().manual_seed(0)
    values = reward_values(
        PerToken(lambda s: own_token(s) + torch.randn(s.tokens.shape, generator=noise)), batch
    )
    assert values.shape == batch.tokens.shape


class Bidirectional(torch.nn.Module):
    per_token = True

    def forward(self, sequences):
        return with_the_last(sequences)


def test_a_discriminator_declares_it():
    _, batch = a_batch()
    judge = Bidirectional()
    with pytest.raises(RewardError, match="DiscriminatorReward judges tokens"):
        reward_values(DiscriminatorReward(judge, "log_odds"), batch)
    judge.causal = False
    values = reward_values(DiscriminatorReward(judge, "log_odds"), batch)
    assert torch.allclose(values, (with_the_last(batch) * batch.mask).sum(1))


def test_declared_it_counts_as_a_reward_of_the_sequence():
    chain, batch = a_batch()
    reward = PerToken(with_the_length, causal=False)
    total = (with_the_length(batch) * batch.mask).sum(1)
    assert torch.equal(reward_values(reward, batch), total) and reward.sizes == [20]
    values = action_values(chain, batch, reward, 3, rng=seeded(1))
    same = action_values(
        chain, batch, lambda s: (with_the_length(s) * s.mask).sum(1), 3, rng=seeded(1)
    )
    assert torch.equal(values, same)
    mixture = MixtureReward([(1.0, reward), (2.0, PerToken(own_token))])
    last = torch.arange(5) == batch.lengths[:, None] - 1
    expected = total[:, None] * last + 2 * own_token(batch) * batch.mask
    assert mixture.per_token and torch.allclose(reward_values(mixture, batch), expected)
    assert not MixtureReward([(1.0, reward)]).per_token


def test_declared_it_is_paid_at_the_end_of_an_episode():
    env = TokenGenerationEnv(PerToken(with_the_length, causal=False), 4, 5, eos_id=EOS)
    env.reset()
    assert env.step(1)[1] == 0
    _, paid, terminated, _, info = env.step(EOS)
    assert terminated and paid == pytest.approx(-1.0 + 2 * 0.7 + 2 * 0.6)
    assert "token_rewards" not in info


ROUNDS = 250


def gradients(reward: PerToken) -> tuple[Tensor, Tensor]:
    """The exact gradient of the expected return, and sampled ones [ROUNDS, ...]; V = 3, T = 3."""
    chain = Chain.random(3, 3, seed=2)
    batch, weights = all_sequences(chain)
    returns = reward.function(batch).sum(1).double()
    log_prob = chain(batch).log_prob.sum(1).double()
    exact = torch.autograd.grad((weights * returns * log_prob).sum(), chain.table)[0].double()
    baseline, rng, sampled = make_baseline("leave_one_out"), seeded(11), []
    for _ in range(ROUNDS):
        batch = generate(chain, 64, rng=rng)
        values = action_values(chain, batch, reward, 2, rng=rng)
        advantage = advantages(values, batch.mask, baseline)
        loss = reinforce_loss(chain(batch).log_prob, advantage, batch.mask)
        sampled.append(-torch.autograd.grad(loss, chain.table)[0].double())
    return exact, torch.stack(sampled)


def in_standard_errors(exact: Tensor, sampled: Tensor) -> float:
    error = sampled.std(0) / ROUNDS**0.5
    assert exact.abs().max() > 20 * error.max()  # a wrong gradient would show
    return float(((sampled.mean(0) - exact).abs() / (error + 1e-7)).max())


@pytest.mark.parametrize(
    "reward",
    [PerToken(own_token), PerToken(so_far), PerToken(with_the_next, causal=False)],
    ids=["own token", "so far", "with the next"],
)
def test_the_mean_gradient_is_that_of_the_expected_return(reward):
    assert in_standard_errors(*gradients(reward)) < 4


def test_looking_ahead_would_bias_it(monkeypatch):
    monkeypatch.setattr("rollout.rewards._check_causality", lambda reward, sequences: None)
    assert in_standard_errors(*gradients(PerToken(with_the_next))) > 8
