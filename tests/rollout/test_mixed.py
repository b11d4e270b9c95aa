"""Samples and rollouts with products of 16 bits."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rollout import MixedPrecision, Sequences, action_values, generate
from rollout.graphs import Graphs

from ..capture import use_recorded_graphs
from ..small import lstm


def policy(eos_id: int | None = 2):
    torch.manual_seed(0)
    return lstm(30, 6, 0, eos_id, 0, 8, 16, initial_scale=0.5).eval()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_distribution_is_rounded_and_hardly_another():
    exact = policy()
    batch = generate(exact, 20, rng=seeded(0))
    with torch.no_grad():
        found = [each.logits(batch).float().softmax(-1) for each in (exact, MixedPrecision(exact))]
    apart = (found[0] - found[1]).abs().sum(-1)[batch.mask] / 2  # total variation
    assert 1e-5 < apart.mean() < 5e-3 and apart.max() < 3e-2


def test_most_tokens_are_the_same():
    exact = policy()
    one, other = (generate(each, 500, rng=seeded(1)) for each in (exact, MixedPrecision(exact)))
    same = one.tokens[:, 0] == other.tokens[:, 0]
    assert other.tokens.dtype == torch.int64 and same.double().mean() > 0.95


class Roundings(TorchDispatchMode):
    """Counts the copies of numbers of a shape in another type."""

    def __init__(self, *shape: int):
        super().__init__()
        self.shape, self.count = torch.Size(shape), 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._to_copy.default and args[0].shape == self.shape
        return func(*args, **(kwargs or {}))


def test_weights_are_rounded_once_for_all_tokens():
    exact = policy(None)
    begun = generate(exact, 3, rng=seeded(0))
    with Roundings(*exact.head.weight.shape) as roundings:
        generate(MixedPrecision(exact), 5, rng=seeded(1))
        assert roundings.count == 1
        action_values(MixedPrecision(exact), begun, lambda s: s.lengths.float(), 2, rng=seeded(2))
        assert roundings.count == 2
    assert not torch.is_autocast_enabled("cpu")


def test_the_reward_is_asked_in_full_precision():
    exact, seen = policy(), []

    def reward(sequences: Sequences) -> torch.Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return sequences.lengths.float()

    batch = generate(exact, 8, rng=seeded(0))
    exact_values, values = (
        action_values(each, batch, reward, 64, rng=seeded(2))
        for each in (exact, MixedPrecision(exact))
    )
    assert not any(seen) and len(seen) == 4
    assert (exact_values - values).abs().mean() < 0.1


def test_recordings_know_it_again(monkeypatch):
    """A wrapper that is made at each call is the same policy to them."""
    recorded, exact, graphs = use_recorded_graphs(monkeypatch), policy(None), Graphs()
    for step in range(4):
        one, other = (
            generate(MixedPrecision(exact), 6, rng=seeded(step), graphs=each)
            for each in (None, graphs)
        )
        assert torch.equal(one.tokens, other.tokens)
    assert (recorded.made, recorded.replays) == (1, 2)
    assert MixedPrecision(exact) != MixedPrecision(policy())
    assert MixedPrecision(exact) != MixedPrecision(exact, torch.float16)


@pytest.mark.parametrize("layers", [1, 2])
def test_states_of_both_precisions_are_joined(layers):
    """Rows join that come from prefixes, from BOS, and from steps."""
    torch.manual_seed(0)
    exact = lstm(30, 6, 0, 2, 0, 8, 16, layers=layers).eval()
    begun = Sequences(torch.randint(3, 30, (6, 3)), torch.tensor([0, 1, 2, 3, 0, 2]))
    found = generate(MixedPrecision(exact), 6, rng=seeded(0), prefix=begun)
    assert torch.equal(found.tokens[3, :3], begun.tokens[3])
