"""A policy acting in the environments does what it does elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from rollout import Policy, PolicyAgent, RandomReward, Sampler, Sequences, generate
from rollout.environments.env import TokenGenerationEnv
from rollout.environments.vector_env import TokenGenerationVectorEnv
from rollout.randomness import UniformStream
from seqgan.models import Generator

from ...small import lstm
from ..chains import Chain, count_of


def episode(env, agent, **reset):
    """One sequence, as a batch of one, and its reward."""
    observation, info = env.reset(**reset)
    over = False
    while not over:
        action = agent.act(observation, info["action_mask"])
        observation, reward, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    length = int(observation["position"])
    tokens = torch.from_numpy(observation["tokens"])[None]
    return Sequences(tokens, torch.tensor([length]), torch.tensor([terminated])), reward


def network(eos_id: int | None = 1) -> Generator:
    torch.manual_seed(0)
    return lstm(7, 6, 0, eos_id, 0, hidden=8, layers=2, forbidden=(0,), initial_scale=1.0)


@pytest.mark.parametrize("policy", [Chain.random(7, 6, eos_id=1), network(), network(None)])
def test_an_episode_is_worth_what_its_sequence_is(policy):
    reward = RandomReward(1)
    env = TokenGenerationEnv(reward, 7, policy.max_length, eos_id=policy.eos_id)
    agent = PolicyAgent(policy, rng=torch.Generator().manual_seed(0))
    lengths = set()
    for _ in range(20):
        sequence, paid = episode(env, agent)
        assert paid == reward(sequence).item()
        assert torch.isfinite(policy(sequence).log_prob).all(), "the policy could emit it"
        lengths.add(int(sequence.lengths))
    assert len(lengths) > 1 if policy.eos_id is not None else lengths == {6}


def test_a_policy_without_choice_goes_its_way():
    """From BOS to 2, then 4, 3, EOS: 0 elsewhere would be too likely to be missed."""
    table = torch.full((6, 5), -50.0)
    for last, token in ((5, 2), (2, 4), (4, 3), (3, 1), (0, 0), (1, 0)):
        table[last, token] = 50.0
    policy = Chain(table, 6, eos_id=1)
    env = TokenGenerationEnv(count_of(3), 5, 6, eos_id=1)
    sequence, paid = episode(env, PolicyAgent(policy))
    assert sequence.to_lists() == [[2, 4, 3, 1]] and paid == 1.0


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_states_follow_the_sequences_through_resets(mode):
    """The stepwise states give the tokens that the logits of the whole prefix give."""
    policy, n = network(), 8
    env = TokenGenerationVectorEnv(count_of(3), 7, 6, eos_id=1, num_envs=n, autoreset_mode=mode)
    agent = PolicyAgent(policy, rng=torch.Generator().manual_seed(3))
    again, sampler = torch.Generator().manual_seed(3), Sampler()
    observation, _ = env.reset(seed=0)
    over = np.zeros(n, dtype=bool)
    for _ in range(40):
        actions = agent.act(observation)
        tokens = torch.from_numpy(observation["tokens"])
        positions = torch.from_numpy(observation["position"])
        room = torch.nn.functional.pad(tokens, (0, 1))  # a finished sequence is asked beyond it
        logits = policy.logits(Sequences(room, positions))[torch.arange(n), positions]
        stream = UniformStream(again, "cpu")
        numbers = stream.uniforms(stream.rows(torch.arange(n)), 0)
        expected = sampler.sample(logits.detach(), numbers).numpy()
        playing = ~over if mode is AutoresetMode.NEXT_STEP else np.ones(n, dtype=bool)
        np.testing.assert_array_equal(actions[playing], expected[playing])
        observation, _, terminations, truncations, _ = env.step(actions)
        over = terminations | truncations


def test_episodes_are_distributed_as_generated_sequences():
    """Means of the count reward: 4,000 episodes against 4,000 sequences, 4 standard errors."""
    policy, reward, n = Chain.random(5, 6, eos_id=1, seed=2), count_of(3), 500
    env = TokenGenerationVectorEnv(
        reward, 5, 6, eos_id=1, num_envs=n, autoreset_mode=AutoresetMode.SAME_STEP
    )
    agent = PolicyAgent(policy, rng=torch.Generator().manual_seed(0))
    observation, _ = env.reset(seed=0)
    # The first eight episodes of every environment: taking those that end first would favour
    # short ones.
    paid: list[list[float]] = [[] for _ in range(n)]
    while min(len(each) for each in paid) < 8:
        observation, rewards, terminations, truncations, _ = env.step(agent.act(observation))
        for i in np.flatnonzero(terminations | truncations):
            paid[i].append(rewards[i])
    got = np.array([each[:8] for each in paid]).ravel()
    drawn = reward(generate(policy, 4000, rng=torch.Generator().manual_seed(1))).numpy()
    error = np.sqrt(got.var() / len(got) + drawn.var() / len(drawn))
    assert abs(got.mean() - drawn.mean()) < 4 * error and error < 0.05


def test_masked_tokens_are_not_drawn():
    policy = Chain.random(5, 6, seed=2)
    env = TokenGenerationEnv(count_of(3), 5, 6, forbidden=[0, 1, 4])
    agent = PolicyAgent(policy, sampler=Sampler(temperature=5.0))
    for _ in range(10):
        sequence, _ = episode(env, agent)
        assert set(sequence.to_lists()[0]) <= {2, 3}


class Follower(Policy):
    """Repeats the token that its condition names."""

    vocab_size, bos_id, eos_id, pad_id, max_length = 5, 0, None, 0, 3

    def initial_state(self, batch_size, condition=None):
        return condition

    def step(self, tokens, state):
        return torch.nn.functional.one_hot(state, 5) * 1000.0, state


def test_conditions_reach_policy_and_reward():
    condition = torch.tensor([4, 2, 3])

    def reward(sequences):
        return (sequences.tokens == sequences.condition[:, None]).sum(1).float()

    env = TokenGenerationVectorEnv(reward, 5, 3, condition=condition, num_envs=6)
    agent = PolicyAgent(Follower(), condition=condition)
    observation, _ = env.reset(seed=0)
    assert len(set(observation["condition"].tolist())) > 1
    for t in range(12):
        observation, rewards, *_ = env.step(agent.act(observation))
        assert rewards.tolist() == [3.0 if t % 4 == 2 else 0.0] * 6


def test_an_agent_that_missed_something_says_so():
    env = TokenGenerationEnv(count_of(3), 5, 4)
    agent = PolicyAgent(Chain.random(5, 4))
    env.reset()
    later = env.step(3)[0]
    with pytest.raises(ValueError, match="position 1 of a sequence whose beginning"):
        agent.act(later)
    agent.act(env.reset()[0])
    agent.act(env.step(3)[0])
    with pytest.raises(ValueError, match="every observation in turn"):
        agent.act(later)


def test_dropout_is_off_and_comes_back():
    torch.manual_seed(0)
    policy = lstm(7, 6, 0, None, 0, hidden=8, dropout=0.9).train()
    env = TokenGenerationEnv(count_of(3), 7, 6)
    sequences = []
    for _ in range(2):
        agent = PolicyAgent(policy, rng=torch.Generator().manual_seed(0))
        sequences.append(episode(env, agent)[0].to_lists())
    assert sequences[0] == sequences[1] and policy.training
