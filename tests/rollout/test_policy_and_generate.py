"""The policy's defaults, generation, prefixes, temperature, the lagged copy, rewards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rollout import (
    ConstantReward,
    DiscriminatorReward,
    LaggedPolicy,
    MixtureReward,
    ObjectiveReward,
    Policy,
    RandomReward,
    Sampler,
    Sequences,
    action_values,
    generate,
)

from .chains import Chain, count_of


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Remembering(nn.Module, Policy):
    """A recurrent policy that needs nothing but the defaults, and forgets nothing."""

    def __init__(self, eos_id=None, max_length=6):
        super().__init__()
        torch.manual_seed(0)
        self.vocab_size, self.bos_id, self.pad_id = 7, 6, 0
        self.eos_id, self.max_length = eos_id, max_length
        self.embedding = nn.Embedding(7, 5)
        self.cell = nn.GRUCell(5, 8)
        self.output = nn.Linear(8, 7)

    def initial_state(self, batch_size, condition=None):
        return {"h": torch.zeros(batch_size, 8)}

    def step(self, tokens, state):
        h = self.cell(self.embedding(tokens), state["h"])
        return 3 * self.output(h), {"h": h}


def test_a_module_gets_the_default_forward():
    policy = Remembering()
    batch = generate(policy, 3, rng=seeded(0))
    scores = policy(batch)
    expected = policy.logits(batch).log_softmax(-1)
    taken = expected.gather(2, batch.tokens[..., None])[..., 0]
    assert torch.allclose(scores.log_prob, taken, atol=1e-6)
    assert torch.allclose(scores.entropy, -(expected.exp() * expected).sum(-1), atol=1e-6)


def test_branching_goes_on_where_the_prefix_ended():
    policy = Remembering()
    batch = generate(policy, 4, rng=seeded(0))
    teacher = policy.logits(batch)
    prefixes = policy.prefix_states(batch)
    rows, positions = torch.tensor([2, 0, 3, 2]), torch.tensor([0, 3, 4, 2])
    state = policy.branch(prefixes, rows, positions)
    logits, _ = policy.step(batch.tokens[rows, positions], state)
    assert torch.allclose(logits, teacher[rows, positions + 1], atol=1e-6)


def test_rollouts_of_a_policy_with_memory_agree_with_the_plain_reference():
    from ..plain import action_values as plain_action_values

    policy = Remembering(eos_id=1)
    batch = generate(policy, 6, rng=seeded(3))
    with torch.no_grad():
        plain = plain_action_values(policy, batch, count_of(2), 1000, seeded(3))
    ours = action_values(policy, batch, count_of(2), 1000, rng=seeded(4))
    spread = torch.stack(
        [action_values(policy, batch, count_of(2), 25, rng=seeded(i)) for i in range(40)]
    ).std(0)
    error = spread * (25 / 1000) ** 0.5
    assert ((plain - ours).abs() <= 4 * 2**0.5 * error + 0.01).all()


def test_generation_matches_the_probabilities_of_whole_sequences():
    policy = Remembering(max_length=2)
    drawn = generate(policy, 40_000, rng=seeded(1)).tokens
    counts = torch.bincount(drawn[:, 0] * 7 + drawn[:, 1], minlength=49).double()
    pairs = torch.cartesian_prod(torch.arange(7), torch.arange(7))
    every = Sequences(pairs, torch.full((49,), 2))
    probs = policy(every).log_prob.sum(1).exp().double().detach()
    assert probs.sum().item() == pytest.approx(1.0, abs=1e-5)
    deviation = (counts - 40_000 * probs) / (40_000 * probs * (1 - probs)).sqrt()
    assert deviation.abs().max() < 4.5


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_eos_ends_a_sequence_and_padding_follows(chunk):
    chain = Chain.random(5, 8, eos_id=1, seed=3)
    batch = generate(chain, 50, rng=seeded(0), chunk_size=chunk)
    assert batch.tokens.shape == (50, 8)
    for row, length, ended in zip(
        batch.tokens.tolist(), batch.lengths.tolist(), batch.terminated.tolist(), strict=True
    ):
        assert row[length:] == [0] * (8 - length)
        assert 1 not in row[: length - 1]
        assert ended == (row[length - 1] == 1)
        assert ended or length == 8
    assert batch.terminated.any() and not batch.terminated.all()
    same = generate(chain, 50, rng=seeded(0), compact_every=0)
    assert torch.equal(batch.tokens, same.tokens) and torch.equal(batch.lengths, same.lengths)


def test_prefixes_are_kept_and_continued():
    policy = Remembering(eos_id=1)
    batch = generate(policy, 5, rng=seeded(0), prefix=[4, 2])
    assert (batch.tokens[:, :2] == torch.tensor([4, 2])).all() and (batch.lengths > 2).all()
    ragged = Sequences(
        torch.tensor([[3, 5, 2], [4, 0, 0], [0, 0, 0], [2, 1, 0]]),
        torch.tensor([3, 1, 0, 2]),
        torch.tensor([False, False, False, True]),
    )
    out = generate(policy, 4, rng=seeded(0), prefix=ragged)
    assert out.tokens[0, :3].tolist() == [3, 5, 2] and out.tokens[1, 0] == 4
    assert out.to_lists()[3] == [2, 1] and bool(out.terminated[3])  # it had ended
    assert (out.lengths[:3] > ragged.lengths[:3]).all()
    with pytest.raises(ValueError, match="prefix must hold 4 sequences"):
        generate(policy, 4, prefix=ragged.select(slice(0, 3)))
    with pytest.raises(ValueError, match="at most max_length = 6"):
        generate(policy, 4, prefix=[2] * 7)
    with pytest.raises(ValueError, match="chunk_size must be 1 or more"):
        generate(policy, 4, chunk_size=0)
    with pytest.raises(ValueError, match="num_sequences must be 1 or more"):
        generate(policy, 0)


def test_a_continued_prefix_has_the_distribution_of_the_policy():
    policy = Remembering(max_length=3)
    drawn = generate(policy, 30_000, rng=seeded(2), prefix=[4, 2]).tokens[:, 2]
    logits = policy.logits(Sequences(torch.tensor([[4, 2, 0]]), torch.tensor([3])))[0, 2]
    probs = logits.softmax(-1).double().detach()
    counts = torch.bincount(drawn, minlength=7).double()
    deviation = (counts - 30_000 * probs) / (30_000 * probs * (1 - probs)).sqrt()
    assert deviation.abs().max() < 4


def test_dropout_is_off_while_sampling_and_the_mode_comes_back():
    class Dropping(Remembering):
        def step(self, tokens, state):
            logits, state = super().step(tokens, state)
            return nn.functional.dropout(logits, 0.9, self.training), state

    policy = Dropping().train()
    batch = generate(policy, 20, rng=seeded(0))
    assert policy.training
    torch.manual_seed(5)
    assert torch.equal(batch.tokens, generate(policy, 20, rng=seeded(0)).tokens)
    action_values(policy, batch, count_of(2), 1)
    assert policy.training
    cold = policy.tempered(0.5)  # the wrapper is no module, and dropout is off all the same
    first, second = (generate(cold, 20, rng=seeded(0)) for _ in range(2))
    assert torch.equal(first.tokens, second.tokens)
    policy.cell.eval()  # a frozen part stays frozen
    generate(policy, 2)
    assert policy.training and not policy.cell.training


def test_tempered_samples_and_scores_belong_together():
    policy = Remembering()
    cold = policy.tempered(0.5)
    batch = generate(cold, 10, rng=seeded(0))
    same = generate(policy, 10, sampler=Sampler(temperature=0.5), rng=seeded(0))
    assert torch.equal(batch.tokens, same.tokens)
    expected = (policy.logits(batch) / 0.5).log_softmax(-1)
    taken = expected.gather(2, batch.tokens[..., None])[..., 0]
    assert torch.allclose(cold(batch).log_prob, taken, atol=1e-6)
    assert action_values(cold, batch, count_of(2), 2).shape == batch.tokens.shape
    with pytest.raises(ValueError, match="temperature must be above 0"):
        policy.tempered(0.0)


def test_the_lag_changes_what_is_sampled():
    chain = Chain.random(5, 6, seed=1)
    slow, fast = LaggedPolicy(chain, 0.8), LaggedPolicy(chain, 0.0)
    before = chain.table.detach().clone()
    with torch.no_grad():
        chain.table += torch.tensor([5.0, 0, 0, 0, 0])  # now almost always token 0
    slow.update()
    fast.update()
    mixed = 0.8 * before + 0.2 * chain.table
    assert torch.allclose(slow.policy.table, mixed) and torch.equal(fast.policy.table, chain.table)
    batch = generate(chain, 20, rng=seeded(0))
    lagged = action_values(slow.policy, batch, count_of(0), 50, rng=seeded(1))
    current = action_values(fast.policy, batch, count_of(0), 50, rng=seeded(1))
    assert (current - lagged)[:, 0].mean() > 1.0
    assert torch.equal(current, action_values(chain, batch, count_of(0), 50, rng=seeded(1)))
    with pytest.raises(ValueError, match=r"update rate must lie in \[0, 1\]"):
        LaggedPolicy(chain, 1.1)


class FirstToken(nn.Module):
    """A discriminator whose logits are known: the first token minus 1."""

    def forward(self, sequences):
        assert not self.training
        return sequences.tokens[:, 0].float() - 1


def test_discriminator_rewards():
    batch = Sequences.from_lists([[0, 1], [1, 1], [3, 0]], pad_id=0)
    judge = FirstToken().train()
    odds = DiscriminatorReward(judge, "log_odds", batch_size=2)(batch)
    assert odds.tolist() == [-1.0, 0.0, 2.0]
    probability = DiscriminatorReward(judge)(batch)
    expected = [1 / (1 + 2.718281828**1), 0.5, 1 / (1 + 2.718281828**-2)]
    assert probability.tolist() == pytest.approx(expected, abs=1e-6)
    assert judge.training
    with pytest.raises(ValueError, match="probability, log_odds"):
        DiscriminatorReward(judge, "logit")


def test_objectives_constants_and_mixtures():
    batch = Sequences.from_lists([[2, 1], [3]], pad_id=0)
    objective = ObjectiveReward(lambda rows: [float(sum(row)) for row in rows])
    assert objective(batch).tolist() == [3.0, 3.0]
    assert ConstantReward(0.5)(batch).tolist() == [0.5, 0.5]
    assert MixtureReward([(2.0, objective), (-1.0, ConstantReward())])(batch).tolist() == [5.0, 5.0]

    class PerToken:
        per_token = True

        def __call__(self, sequences):
            return sequences.tokens.float()

    mixed = MixtureReward([(1.0, PerToken()), (10.0, objective)])
    assert mixed.per_token and mixed(batch).tolist() == [[2.0, 31.0], [33.0, 0.0]]
    with pytest.raises(ValueError, match="at least one"):
        MixtureReward([])


def test_an_objective_that_fails_names_the_sequence():
    batch = Sequences.from_lists([[2, 1], [3]], pad_id=0)
    with pytest.raises(ValueError, match=r"nan for \[3\]"):
        ObjectiveReward(lambda rows: [1.0, float("nan")])(batch)
    with pytest.raises(ValueError, match="one number for each of 2"):
        ObjectiveReward(lambda rows: [1.0])(batch)


def test_random_rewards_depend_on_the_sequence_alone():
    batch = Sequences.from_lists([[2, 1, 4], [3, 3], [2, 1, 4], [3, 3, 0]], pad_id=0)
    values = RandomReward(seed=1)(batch)
    assert values[0] == values[2] and len(set(values.tolist())) == 3
    alone = RandomReward(seed=1)(Sequences.from_lists([[3, 3]], pad_id=0))
    assert alone[0] == values[1]
    assert not torch.equal(values, RandomReward(seed=2)(batch))


def test_sequences_refuse_wrong_shapes():
    tokens, lengths = torch.zeros(2, 3, dtype=torch.int64), torch.tensor([3, 1])
    assert Sequences(tokens, lengths).mask.tolist() == [[True] * 3, [True, False, False]]
    for arguments, message in [
        ((tokens.float(), lengths), r"tokens must be int64 \[B, T\]"),
        ((tokens, lengths[:1]), r"lengths must be int64 \[2\]"),
        ((tokens, lengths, torch.zeros(2)), r"terminated must be bool \[2\]"),
        ((tokens, lengths, None, torch.zeros(3)), "first dimension 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            Sequences(*arguments)


def test_sequences_join_and_split():
    a = Sequences.from_lists([[1, 2, 3]], pad_id=9)
    b = Sequences.from_lists([[4]], pad_id=9, terminated=True)
    both = Sequences.concat([a, b], pad_id=9)
    assert both.tokens.tolist() == [[1, 2, 3], [4, 9, 9]]
    assert both.terminated.tolist() == [False, True]
    assert both.select(torch.tensor([1])).trim().tokens.tolist() == [[4]]
    assert [len(part) for part in both.split(1)] == [1, 1]
    assert both.to("cpu").to_lists() == [[1, 2, 3], [4]]
