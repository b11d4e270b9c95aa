"""The reward of a run: a weighted sum of terms, each with a curve of its own in the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from rollout import (
    ConstantReward,
    DiscriminatorReward,
    MixtureReward,
    RandomReward,
    Reward,
    Sequences,
)
from rollout.rewards import reward_values

from ..config import RewardTerm
from ..seeding import rng_for
from .gan import GANReward
from .ratio import RatioReward

__all__ = ["Terms", "build_reward"]

COMPARED = 256
"""Real sequences that a relativistic reward compares with."""


class Terms(MixtureReward):
    """A weighted sum of named rewards.

    Args:
        terms: (name, weight, reward) of each.
    """

    def __init__(self, terms: Sequence[tuple[str, float, Reward]]):
        super().__init__([(weight, reward) for _, weight, reward in terms])
        self.names = [name for name, _, _ in terms]

    def each(self, sequences: Sequences) -> dict[str, Tensor]:
        """For each term its reward of every sequence [B], not weighted, summed over tokens."""
        found = {}
        for name, (_, reward) in zip(self.names, self.parts, strict=True):
            values = reward_values(reward, sequences)
            found[name] = values if values.ndim == 1 else values.sum(1)
        return found


def build_reward(
    terms: Sequence[RewardTerm],
    discriminator: nn.Module | None,
    real: Sequences,
    seed: int,
    ratio: RatioReward | None = None,
) -> Reward:
    """The reward that settings describe.

    Args:
        terms: the terms; a single one of weight 1 is the reward itself.
        discriminator: the network behind discriminator terms; None if there is none.
        real: the training sequences.
        seed: of the random control, and of the real sequences that a relativistic reward reads.
        ratio: the reward of ratio terms; None if there is none.
    """
    rewards = [
        (each.name, each.weight, _reward(each, discriminator, real, seed, ratio)) for each in terms
    ]
    if len(rewards) == 1 and rewards[0][1] == 1.0:
        return rewards[0][2]
    return Terms(rewards)


def _reward(
    term: RewardTerm,
    discriminator: nn.Module | None,
    real: Sequences,
    seed: int,
    ratio: RatioReward | None,
) -> Reward:
    kinds: dict[str, Callable[[], Reward]] = {
        "constant": lambda: ConstantReward(1.0),
        "random": lambda: RandomReward(seed),
    }
    if term.name in kinds:
        return kinds[term.name]()
    if term.name == "ratio":
        assert ratio is not None, "a ratio's reward needs the ensemble"
        return ratio
    assert discriminator is not None, "a discriminator's reward needs the discriminator"
    if term.form in DiscriminatorReward.FORMS:
        return DiscriminatorReward(discriminator, term.form, precision=term.precision)
    judge = DiscriminatorReward(discriminator, "log_odds", precision=term.precision)
    rows = torch.randperm(len(real), generator=rng_for(seed, "rewards", "real"))[:COMPARED]
    return GANReward(judge, term.form, real.select(rows.to(real.device)))
