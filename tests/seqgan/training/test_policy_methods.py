"""The policy-gradient methods that are settings: exact gradients, and what each of them learns."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from rollout import Sequences, TokenScores, generate
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
from seqgan.training.policy_loss import policy_loss
from seqgan.training.replay import DiversityFilter, Replay, Replayed, replay_loss
from seqgan.training.runtime import Runtime, make_accelerator

BARE = PolicyGradient(rollouts=0, baseline="none", batch_size=16)


def player_of(settings, reward, vocab=3, length=3, seed=3, eos=None, **more) -> Player:
    spec = TokenSpec(
        vocab_size=vocab, bos_id=0, eos_id=eos, pad_id=0, max_length=length, forbidden=()
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


OWN_FORMULA = {
    "grpo": {},
    "DAPO": {"aggregation": "token_mean", "clip_high": 0.28},
    "Dr. GRPO": {"transform": "group_centre", "aggregation": "constant"},
    "GSPO": {"loss": "sequence", "clip": 0.05},
    "reinforce": {"loss": "reinforce", "transform": "none", "aggregation": "sequence_sum"},
    "with entropy": {"entropy_weight": 0.5},
}


def by_hand(name, settings, rewards, lengths, now, old, before, entropy):
    """The loss of a method as its paper has it, one sequence and one token at a time."""
    total, bonus, kl, tokens = 0.0, 0.0, 0.0, sum(lengths)
    count = len(lengths)
    high = settings.clip if settings.clip_high is None else settings.clip_high

    mean = sum(rewards) / count  # nothing is asked: all are one group
    spread = (sum((x - mean) ** 2 for x in rewards) / count) ** 0.5

    def surrogate(ratio, advantage):
        clipped = ratio.clamp(1 - settings.clip, 1 + high)
        return torch.minimum(ratio * advantage, clipped * advantage)

    for k, length in enumerate(lengths):
        advantage = rewards[k] - mean
        if name not in ("Dr. GRPO", "reinforce"):
            advantage = advantage / spread
        own = now[k, :length] - old[k, :length]
        if name == "GSPO":
            total += surrogate(own.mean().exp(), advantage) / count
        for t in range(length):
            weight = {"DAPO": 1 / tokens, "Dr. GRPO": 1 / (3 * count)}.get(name, 1 / length / count)
            if name == "reinforce":
                total += rewards[k] * now[k, t] / count
            elif name != "GSPO":
                total += weight * surrogate(own[t].exp(), advantage)
            gap = before[k, t] - now[k, t]
            kl += (gap.exp() - gap - 1) / count
            bonus += entropy[k, t] / tokens
    return -total - settings.entropy_weight * bonus + settings.kl_weight * kl


@pytest.mark.parametrize("name", OWN_FORMULA)
def test_the_loss_is_the_methods_own_formula_for_lengths_that_differ(name):
    """Of a batch that an older policy has drawn, with its advantages, clips and means."""
    usual = RunConfig(method="grpo").algorithm
    settings = replace(usual, batch_size=16, group_size=4, kl_weight=0.3, **OWN_FORMULA[name])

    def reward(sequences):
        return (sequences.tokens * sequences.mask).sum(1) + 0.5 * sequences.lengths

    player = player_of(settings, reward, eos=2)
    batch, _ = player._batch()
    mine, lengths = batch.mine, batch.mine.lengths.tolist()
    assert {*lengths} == {1, 2, 3}
    with torch.no_grad():
        player.policy.head.bias.add_(torch.tensor([0.5, -0.5, 0.2]))
    now, old = player.policy(mine), batch.old.log_prob
    ratio = (now.log_prob - old).exp()[mine.mask]
    assert ((ratio - 1).abs() > 0.28).any() and ((ratio - 1).abs() < 0.2).any()
    before = player.reference(mine).log_prob.detach()
    expected = by_hand(
        name, settings, reward(mine).tolist(), lengths, now.log_prob, old, before, now.entropy
    )
    found = policy_loss(now, batch, settings)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)
    both = [
        torch.autograd.grad(loss, player.policy.head.bias, retain_graph=True)[0]
        for loss in (found, expected)
    ]
    assert torch.allclose(*both, rtol=1e-3, atol=1e-6)


def test_self_imitation_by_hand():
    """Minus the log-likelihood, -2 and -3, times what the reward is above the mean of 2."""
    kept = Sequences.from_lists([[1, 1], [2]], 0)

    def policy(sequences):
        log_prob = torch.tensor([[-1.5, -0.5], [-3.0, -9.0]])  # the last one is padding
        return TokenScores(log_prob, torch.zeros(2, 2))

    part = Runtime(make_accelerator("cpu"), seed=0).processes.part(2)
    settings = replace(BARE, replay=ReplayConfig(size=2, weight=0.5))
    mean = torch.tensor(2.0)
    for rewards, right in (([5.0, 1.0], 3 * 2 / 2), ([5.0, 4.0], (3 * 2 + 2 * 3) / 2)):
        again = Replayed(part, kept, torch.tensor(rewards), None)
        assert replay_loss(policy, again, mean, settings).item() == pytest.approx(0.5 * right)
    # REINVENT's loss: (prior + sigma R - log p)^2
    settings = replace(settings, loss="augmented", sigma=2.0)
    prior = torch.tensor([[-1.0, -1.0], [-2.0, -9.0]])
    again = Replayed(part, kept, torch.tensor([5.0, 1.0]), prior)
    right = ((-2 + 10 + 2) ** 2 + (-2 + 2 + 3) ** 2) / 2
    assert replay_loss(policy, again, mean, settings).item() == pytest.approx(0.5 * right)


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


def test_what_was_asked_for_makes_another_sequence_of_the_same_tokens():
    batch = Sequences.from_lists([[1, 1]] * 3, 0)
    batch = replace(batch, condition={"label": torch.tensor([0, 1, 0])})
    memory = Replay(ReplayConfig(size=5, batch=2), 0, torch.device("cpu"))
    memory.add(batch, torch.tensor([0.5, 0.4, 0.5]))
    assert memory.kept.condition["label"].tolist() == [0, 1]
    seen = DiversityFilter(DiversityConfig(filter="unique"))
    assert seen.keeps(batch, torch.ones(3)).tolist() == [1, 1, 0]


def test_the_memory_judges_anew_where_the_reward_moves_and_leaves_out_what_was_filtered():
    worth = {"factor": 1.0}

    def moving(sequences):
        return worth["factor"] * (sequences.tokens[:, 0] + 1.0)

    settings = replace(
        BARE, replay=ReplayConfig(size=4, batch=2), diversity=DiversityConfig(filter="unique")
    )
    player = player_of(settings, moving)
    player._batch()
    assert player.replay.rewards.max() == 3.0
    worth["factor"] = -1.0  # the best are the worst now
    player.progress.number = 1  # other samples
    player._batch()
    kept, rewards = player.replay.kept, player.replay.rewards
    assert torch.equal(rewards, moving(kept)) and rewards.max() == -1.0
    scaffolds = player_of(settings, moving)
    scaffolds.filter.keeps = lambda whole, scores: whole.tokens[:, 0] == 1  # one alone is paid
    scaffolds._batch()
    assert {row[0] for row in scaffolds.replay.kept.to_lists()} == {1}
    scaffolds.filter.keeps = lambda whole, scores: torch.zeros(len(whole), dtype=torch.bool)
    scaffolds.replay.forget()
    scaffolds.step()  # nothing is remembered
    assert scaffolds.replay.kept is None


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
