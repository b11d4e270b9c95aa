"""The policy-gradient methods that are settings: exact gradients, and what each of them learns."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from rollout import Sequences, generate
from rollout.modules import frozen_copy
from seqgan.config import LSTM, PolicyGradient, RunConfig
from seqgan.config.algorithms import DiversityConfig, ReplayConfig, ValueConfig
from seqgan.config.rewards.stages import reward_stages
from seqgan.data.prompts import NoPrompts
from seqgan.data.spec import TokenSpec
from seqgan.models import make_generator
from seqgan.rewards.stages import Stages
from seqgan.training.players import Materials
from seqgan.training.policy_gradient import PolicyGradient as Player
from seqgan.training.policy_gradient import policy_loss
from seqgan.training.replay import DiversityFilter, Replay
from seqgan.training.runtime import Runtime, make_accelerator

BARE = PolicyGradient(rollouts=0, baseline="none", batch_size=16)


def player_of(settings, reward, vocab=3, length=3, seed=3, **more) -> Player:
    spec = TokenSpec(
        vocab_size=vocab, bos_id=0, eos_id=None, pad_id=0, max_length=length, forbidden=()
    )
    generator = make_generator(LSTM(embedding=4, hidden=6, dropout=0.0), spec, 1)
    with torch.no_grad():
        generator.head.weight.mul_(3.0)
    runtime = Runtime(make_accelerator("cpu"), seed=seed)
    empty = Sequences(torch.zeros(1, length, dtype=torch.int64), torch.tensor([length]))
    return Player(
        settings,
        Materials(
            generator, frozen_copy(generator), reward, None, empty, NoPrompts(), runtime, **more
        ),
    )


def product(sequences):
    """Not a sum over tokens: only complete sequences tell it."""
    tokens = sequences.tokens.float()
    return tokens[:, 0] * tokens[:, 1] + 2.0 * (tokens[:, 1] == tokens[:, 2])


def own_tokens(sequences):
    """A causal reward per token."""
    tokens = sequences.tokens.float()
    before = torch.nn.functional.pad(tokens, (1, 0))[:, :-1]
    return tokens * before + (tokens == 2)


own_tokens.per_token = True


def every_sequence(vocab=3, length=3) -> Sequences:
    rows = [list(row) for row in itertools.product(range(vocab), repeat=length)]
    return Sequences.from_lists(rows, 0)


def gradients(policy, loss):
    found = torch.autograd.grad(loss, list(policy.parameters()), allow_unused=True)
    parts = [
        torch.zeros_like(p) if g is None else g
        for g, p in zip(found, policy.parameters(), strict=True)
    ]
    return torch.cat([part.flatten() for part in parts]).double()


def exact_gradient(policy, reward) -> torch.Tensor:
    batch = every_sequence()
    values = reward(batch)
    values = values.sum(1) if values.ndim == 2 else values
    log_prob = policy(batch).log_prob.sum(1)
    return gradients(policy, -(log_prob.detach().exp() * values * log_prob).sum())


def sampled_gradients(player, count=200) -> torch.Tensor:
    found = []
    for step in range(count):
        player.progress.number = step
        batch, _ = player._batch()
        loss = policy_loss(player.policy(batch.mine), batch, player.settings)
        found.append(gradients(player.policy, loss))
    return torch.stack(found)


UNBIASED = {
    "reinforce": {},
    "rloo": {"baseline": "leave_one_out"},
    "rloo in groups": {"baseline": "leave_one_out", "group_size": 4},
    "value": {"baseline": "value", "value": ValueConfig(decay=1.0)},
    "one update, corrected": {"importance_cap": 2.0},
    "clipped, before it moves": {"loss": "clipped", "baseline": "leave_one_out"},
}


@pytest.mark.parametrize("reward", [product, own_tokens])
@pytest.mark.parametrize("name", UNBIASED)
def test_the_mean_gradient_is_that_of_the_sum_over_all_sequences(name, reward):
    player = player_of(replace(BARE, **UNBIASED[name]), reward)
    exact = exact_gradient(player.policy, reward)
    found = sampled_gradients(player)
    error = found.std(0) / len(found) ** 0.5
    assert exact.abs().max() > 8 * error.max()  # the test can tell a wrong gradient
    off = (found.mean(0) - exact).abs()
    assert (off <= 4 * error + 1e-6).all(), (off / (error + 1e-9)).max()


def test_the_value_head_takes_variance_out():
    plain, held = (
        sampled_gradients(player_of(replace(BARE, **more), product), 150)[50:].var(0).sum()
        for more in ({}, {"baseline": "value", "value": ValueConfig(decay=1.0)})
    )
    assert held < 0.7 * plain


def test_augmented_likelihood_is_the_expectation_of_its_formula():
    player = player_of(replace(BARE, loss="augmented", sigma=2.0), product)
    with torch.no_grad():
        player.policy.head.bias[1] += 0.5
    batch = every_sequence()
    log_prob = player.policy(batch).log_prob.sum(1)
    prior = player.reference(batch).log_prob.sum(1).detach()
    terms = (prior + 2.0 * product(batch) - log_prob) ** 2
    exact = gradients(player.policy, (log_prob.detach().exp() * terms).sum())
    found = sampled_gradients(player)
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - exact).abs() <= 4 * error + 1e-5).all()


def test_aggregations_are_weights_of_the_same_terms():
    sums = {}
    for how in ("sequence_sum", "sequence_mean", "constant", "token_mean"):
        player = player_of(replace(BARE, aggregation=how), product)
        batch, _ = player._batch()
        sums[how] = policy_loss(player.policy(batch.mine), batch, player.settings).item()
    whole = sums.pop("sequence_sum")  # of sequences of three tokens
    assert list(sums.values()) == pytest.approx([whole / 3] * 3, rel=1e-5)


def count_of_ones(sequences):
    return (sequences.tokens == 1).float().mean(1)


METHODS = {
    "REINFORCE": {"baseline": "none"},
    "moving average": {"baseline": "moving_average"},
    "rloo": {},
    "grpo": {},
    "DAPO": {"clip_high": 0.28, "aggregation": "token_mean"},
    "Dr. GRPO": {"transform": "group_centre", "aggregation": "constant"},
    "GSPO": {"loss": "sequence"},
    "ppo": {},
    "reinvent": {"replay": ReplayConfig(size=1, batch=1)},  # one sequence is best
    "corrected": {"updates": 3, "importance_cap": 2.0},
    "adaptive entropy and KL": {"entropy_target": 0.2, "kl_target": 20.0},
    "replay": {"replay": ReplayConfig(size=20, batch=8)},
    "rollouts": {"rollouts": 2},
}
SHIPPED = {"DAPO": "grpo", "Dr. GRPO": "grpo", "GSPO": "grpo"}


def method(name: str) -> PolicyGradient:
    known = name if name in ("rloo", "grpo", "ppo", "reinvent") else SHIPPED.get(name, "rloo")
    settings = RunConfig(method=known).algorithm
    optimizer = replace(settings.optimizer, learning_rate=0.02)
    settings = replace(settings, batch_size=32, kl_weight=0.0, optimizer=optimizer, sigma=60.0)
    return replace(settings, diversity=DiversityConfig(), **METHODS[name])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_reaches_the_best_return_of_the_counting_task(name):
    player = player_of(method(name), count_of_ones, vocab=6, length=8)
    rng = torch.Generator().manual_seed(0)
    before = count_of_ones(generate(player.policy, 200, rng=rng)).mean()
    for _ in range(120):
        player.step()
    after = count_of_ones(generate(player.policy, 200, rng=rng)).mean()
    assert before < 0.4 and after > 0.95, after


def test_a_memory_of_the_best():
    memory = Replay(ReplayConfig(size=3, batch=2), 0, torch.device("cpu"))
    first = Sequences.from_lists([[1, 1], [2, 2], [1, 1], [3]], 0)
    memory.add(first, torch.tensor([0.5, 0.1, 0.5, 0.2]))
    assert memory.kept.to_lists() == [[1, 1], [3], [2, 2]]
    memory.add(Sequences.from_lists([[4, 4, 4], [2, 2]], 0), torch.tensor([0.3, 0.1]))
    assert memory.kept.to_lists() == [[1, 1], [4, 4, 4], [3]]
    assert memory.rewards.tolist() == pytest.approx([0.5, 0.3, 0.2])
    other = Replay(memory.settings, 0, torch.device("cpu"))
    other.load_state_dict(memory.state_dict())
    for each in (memory, other):
        drawn, rewards = each.draw(torch.Generator().manual_seed(1))
        assert len(drawn) == 2 == len(rewards)
    assert other.kept.to_lists() == memory.kept.to_lists()


def test_a_filter_against_repetitions():
    batch = Sequences.from_lists([[1, 1], [2], [1, 1], [1, 1]], 0)
    seen = DiversityFilter(DiversityConfig(filter="unique", bucket=2))
    rewards = torch.ones(4)
    assert seen.keeps(batch, rewards).tolist() == [1, 1, 1, 0]
    other = DiversityFilter(seen.settings)
    other.load_state_dict(seen.state_dict())
    assert other.keeps(batch, rewards).tolist() == [0, 1, 0, 0]
    some = DiversityFilter(DiversityConfig(filter="unique", minimum=0.5))
    # What has too little reward neither counts nor loses it.
    assert some.keeps(batch, torch.tensor([0.4, 1.0, 0.5, 0.5])).tolist() == [1, 1, 1, 0]
    assert some.keeps(batch, torch.tensor([0.4, 0.4, 0.5, 0.4])).tolist() == [1, 1, 0, 1]
    player = player_of(
        replace(BARE, diversity=DiversityConfig(filter="unique")), lambda s: s.tokens[:, 0] + 1.0
    )
    batch, figures = player._batch()
    rows = [tuple(row) for row in batch.mine.to_lists()]
    firsts = [rows.index(row) == i for i, row in enumerate(rows)]
    assert batch.scores.gt(0).tolist() == firsts and not all(firsts)
    assert figures["mean_reward"] >= 1  # as it is, for the log


def test_repetition_is_no_way_out_of_a_negative_reward():
    bare = replace(BARE, diversity=DiversityConfig(filter="unique"))
    batch, _ = player_of(bare, lambda s: s.tokens[:, 0] - 10.0)._batch()
    rows = [tuple(row) for row in batch.mine.to_lists()]
    assert len(set(rows)) < len(rows)
    assert torch.equal(batch.scores, batch.mine.tokens[:, 0] - 10.0)


def test_stages_end_by_steps_or_by_reward():
    settings = reward_stages([
        {"rewards": ["length"], "steps": 2},
        {"rewards": ["length"], "reward": 0.5, "least": 2, "steps": 10},
    ])  # fmt: skip
    stages = Stages(settings, ["a", "b", "c"])
    assert [stages.after(0.0), stages.after(0.0), stages.reward] == [False, True, "b"]
    assert [stages.after(0.9), stages.after(0.4), stages.after(0.5)] == [False, False, True]
    assert stages.reward == "c" and stages.ended and not stages.after(9.0)
    again = Stages(settings, ["a", "b", "c"])
    again.load_state_dict(stages.state_dict())
    assert again.reward == "c" and again.steps == 1


def test_a_player_takes_the_reward_of_its_stage():
    settings = reward_stages({"rewards": ["length"], "steps": 1})
    stages = Stages(settings, [lambda s: 0.0 * s.lengths, lambda s: 1.0 + s.lengths])
    player = player_of(BARE, stages.reward, stages=stages)
    player.step()
    assert player.judge.reward is stages.rewards[1]
    _, figures = player._batch()
    assert figures["mean_reward"] == 4
    other = player_of(BARE, stages.rewards[0], stages=Stages(settings, stages.rewards))
    other.load_state_dict(player.state_dict())
    assert other.judge.reward is stages.rewards[1]


def test_weights_that_follow_a_target_are_kept():
    settings = replace(BARE, entropy_target=2.0, kl_target=0.5)
    player = player_of(settings, product)
    player.step()
    first = float(player.weights.entropy), float(player.weights.kl)
    assert first[0] > 0.01 and first[1] < 0.1  # more entropy is wanted, and there is no divergence
    other = player_of(settings, product)
    other.load_state_dict(player.state_dict())
    assert (float(other.weights.entropy), float(other.weights.kl)) == first
