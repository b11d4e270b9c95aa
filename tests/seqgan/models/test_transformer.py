"""The Transformer: rotary positions, and the cache that the rollouts of a prefix share."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils._pytree import tree_leaves

from rollout import Policy, Sequences, action_values, generate
from seqgan.config import GENERATORS
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError
from seqgan.models import make_generator
from seqgan.models.attention import turn_at, turned

from ...small import small

SPEC = TokenSpec(vocab_size=9, bos_id=1, eos_id=2, pad_id=0, max_length=24, forbidden=(0, 1))


def make(**settings):
    return make_generator(small(GENERATORS["transformer"], **settings), SPEC, seed=0).eval()


def batch_of(policy, rows=5):
    return generate(policy, rows, rng=torch.Generator().manual_seed(0))


def test_pairs_of_units_turn_by_their_position():
    units = torch.tensor([[1.0, 0.0, 0.0, 2.0]])  # pairs (1, 0) and (0, 2)
    turn = turn_at(torch.tensor(3), 4, units)
    one, other = 3.0, 3.0 / 100  # radians: 10000^0 and 10000^(-2/4)
    wanted = [math.cos(one), -2 * math.sin(other), math.sin(one), 2 * math.cos(other)]
    assert turned(units, turn)[0].tolist() == pytest.approx(wanted, abs=1e-6)


def test_products_depend_on_distances_alone():
    query, key = torch.randn(2, 1, 8, dtype=torch.float64)
    at = [turn_at(torch.tensor(place), 8, query) for place in (2, 5, 11, 14)]
    near = turned(query, at[1]) @ turned(key, at[0]).T
    far = turned(query, at[3]) @ turned(key, at[2]).T
    assert torch.allclose(near, far, atol=1e-6)


@torch.no_grad()
def test_one_layer_by_the_formula():
    policy = make(layers=1, heads=1, width=8)
    batch = batch_of(policy)
    block, units = policy.blocks[0], policy.embedding(policy._inputs(batch))
    query, key, value = block.inputs(block.attention_norm(units)).split(8, dim=-1)
    wanted = []
    for t in range(units.shape[1]):
        turn = [turn_at(torch.tensor(place), 8, units) for place in range(t + 1)]
        q = turned(query[:, t, None], turn[t])[:, 0]
        keys = torch.stack([turned(key[:, i, None], turn[i])[:, 0] for i in range(t + 1)], 1)
        shares = torch.softmax((keys @ q[:, :, None])[:, :, 0] / math.sqrt(8), 1)
        middle = units[:, t] + block.mixed((shares[:, :, None] * value[:, : t + 1]).sum(1))
        hidden = torch.nn.functional.gelu(block.hidden(block.hidden_norm(middle)))
        wanted.append(policy.norm(middle + block.output(hidden)))
    assert torch.allclose(policy.features(batch), torch.stack(wanted, 1), atol=1e-5)


@torch.no_grad()
def test_a_prefix_is_kept_once():
    policy = make()
    prefixes = policy.prefix_states(batch_of(policy))
    rows = torch.tensor([0, 3])
    state = policy.branch(prefixes, rows, torch.tensor([6, 6]))
    _, state = policy.step(torch.tensor([4, 5]), state)
    state = policy.select(state, torch.arange(2).repeat_interleave(50))
    later = policy.branch(prefixes, rows, torch.tensor([7, 7]))
    (joined,) = policy.concat([state, policy.step(torch.tensor([4, 5]), later)[1]])
    assert all(mine is theirs for mine, theirs in zip(joined.pool, prefixes.states[0], strict=True))
    own = [each for each in tree_leaves(joined) if not any(each is one for one in joined.pool)]
    held = sum(each.element_size() * each.numel() for each in own) / 102
    one_column = 2 * 2 * 8 * 4  # keys and values, two layers, width 8, float32
    assert held <= 9 * one_column + 3 * 8  # the columns that a buffer grows by; three integers


@torch.no_grad()
def test_prefixes_take_one_pass(monkeypatch):
    policy = make()
    batch = batch_of(policy)
    monkeypatch.setattr(type(policy), "advance", None)
    passes = []
    policy.blocks[0].register_forward_hook(lambda *_: passes.append(1))
    policy.prefix_states(batch)
    assert len(passes) == 1


@pytest.mark.parametrize("gradients", [False, True])
def test_a_state_may_be_continued_twice(gradients):
    policy = make()
    with torch.set_grad_enabled(gradients):
        state = policy.initial_state(2)
        for token in range(3, 8):
            _, state = policy.step(torch.tensor([token, 3]), state)
        once = policy.step(torch.tensor([4, 4]), state)
        policy.step(torch.tensor([7, 8]), once[1])
        policy.step(torch.tensor([5, 6]), state)
        again = policy.step(torch.tensor([4, 4]), state)
        after = [policy.step(torch.tensor([6, 6]), each[1])[0] for each in (once, again)]
    assert torch.equal(once[0], again[0]) and torch.equal(*after)


@torch.no_grad()
def test_prefixes_of_two_batches_are_joined():
    policy = make()
    parts, wanted = [], []
    for seed, width in ((1, 9), (2, 14)):
        drawn = generate(policy, 3, rng=torch.Generator().manual_seed(seed))
        batch = Sequences(drawn.tokens[:, :width], torch.full((3,), width))
        rows, places = torch.tensor([2, 0]), torch.tensor([width - 1, 3])
        parts.append(policy.branch(policy.prefix_states(batch), rows, places))
        wanted.append(policy.step(torch.tensor([4, 5]), parts[-1])[0])
    parts.append(policy.initial_state(1))
    wanted.append(policy.step(torch.tensor([1]), parts[-1])[0])
    found = policy.step(torch.tensor([4, 5, 4, 5, 1]), policy.concat(parts))[0]
    assert torch.allclose(found, torch.cat(wanted), atol=1e-5)


def test_steps_have_the_gradients_of_one_pass():
    policy = make()
    batch = batch_of(policy)
    found = []
    for kind in (type(policy), Policy):
        policy.zero_grad()
        kind.logits(policy, batch)[:, :, 2:].square().sum().backward()  # without -inf
        found.append(policy.blocks[0].inputs.weight.grad.clone())
    assert torch.allclose(*found, rtol=1e-3, atol=1e-4)


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path):
    policy = make()
    assert policy.head.weight is policy.embedding.weight
    assert "head.weight" not in policy.state_dict()
    other = make_generator(policy.settings, SPEC, seed=1)
    other.load_state_dict(policy.state_dict())
    assert other.head.weight is other.embedding.weight
    assert torch.equal(other.head.weight, policy.head.weight)
    free = make(tied=False)
    assert free.head.weight is not free.embedding.weight and "head.weight" in free.state_dict()


def test_a_width_that_heads_cannot_share():
    with pytest.raises(ConfigError, match="width: 10 is not a multiple of 4, twice"):
        GENERATORS["transformer"](width=10, heads=2)


def test_rollouts_are_those_of_the_policy_without_a_cache():
    from benchmarks.speed.transformer import Uncached

    policy = make()
    batch = batch_of(policy, 3)
    values = [
        action_values(each, batch, lambda q: q.tokens[:, -1].float(), 2, rng=torch.manual_seed(0))
        for each in (policy, Uncached(policy))
    ]
    assert torch.equal(*values)


def test_weights_of_what_is_added_are_smaller():
    width, layers = 64, 3
    for sources, sums in ((0, 2), (9, 3)):
        spec = SPEC._replace(source_vocab=sources, source_length=5)
        policy = make_generator(GENERATORS["transformer"](width=width, layers=layers), spec, 0)
        plain = 0.25 * width**-0.5
        for block in policy.blocks:
            added = [block.mixed, block.output, *([block.found] if sources else [])]
            for layer in added:
                wanted = plain * (sums * layers) ** -0.5
                assert layer.weight.std().item() == pytest.approx(wanted, rel=0.1)
            assert block.inputs.weight.std().item() == pytest.approx(plain, rel=0.1)
