"""Values of prefixes by rollouts: against the exact values of a chain, and as a potential."""

from __future__ import annotations

import pytest
import torch

from rollout import PrefixValues, Sequences
from rollout.environments.env import TokenGenerationEnv

from .chains import Chain
from .enumeration import enumerate_chain


def worth(sequences):
    """Not a sum over tokens."""
    tokens = (sequences.tokens * sequences.mask).float()
    return tokens[:, 0] * tokens[:, 1:2].sum(1) + 2.0 * sequences.lengths


def test_the_values_are_those_of_the_sum_over_all_completions():
    chain = Chain.random(3, 3, eos_id=2, seed=4)
    every = enumerate_chain(chain)
    rewards = worth(every.sequences).double()
    prefixes = [[], [0], [1], [0, 1], [1, 0], [1, 1]]
    exact, error = [], []
    for prefix in prefixes:
        fits = [row[: len(prefix)] == prefix for row in every.sequences.to_lists()]
        weights = every.probs * torch.tensor(fits)
        weights = weights / weights.sum()
        mean = (weights * rewards).sum()
        exact.append(mean)
        error.append((weights * (rewards - mean) ** 2).sum().sqrt() / 4_000**0.5)
    rng = torch.Generator().manual_seed(0)
    values = PrefixValues(chain, worth, 4_000, rng=rng)
    asked = Sequences.from_lists(prefixes, 0, terminated=False)
    found = values(asked)
    off = (found.double() - torch.stack(exact)).abs()
    assert (off <= 4 * torch.stack(error) + 1e-6).all()
    assert torch.equal(values(asked), found)  # the same from then on
    whole = values(Sequences.from_lists([[1, 1, 0]], 0, terminated=False))
    assert whole.tolist() == [1 + 2 * 3]  # complete: its reward
    with pytest.raises(ValueError, match="num_rollouts"):
        PrefixValues(chain, worth, 0)


def test_as_a_potential_it_changes_no_return_but_by_that_of_the_beginning():
    chain = Chain.random(5, 4, eos_id=1, seed=2)
    potential = PrefixValues(chain, worth, 3, rng=torch.Generator().manual_seed(1))
    env = TokenGenerationEnv(worth, 5, 4, eos_id=1, forbidden=[0], potential=potential)
    begin = potential(Sequences.from_lists([[]], 0, terminated=False)).item()
    for actions in ([2, 3, 1], [4, 4, 4, 4], [1]):
        env.reset()
        paid = [env.step(action)[1] for action in actions]
        right = worth(Sequences.from_lists([actions], 0, terminated=True)).item() - begin
        assert sum(paid) == pytest.approx(right, abs=1e-4)
        if len(actions) > 1:  # it pays on the way
            assert any(paid[:-1])
