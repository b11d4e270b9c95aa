"""Rewards that have nothing to teach."""

from __future__ import annotations

from rollout import ConstantReward, RandomReward

from ..config import RewardTerm
from .ingredients import Ingredients

__all__ = ["constant", "random"]


def constant(term: RewardTerm, given: Ingredients) -> ConstantReward:
    """1 for every sequence."""
    return ConstantReward(1.0)


def random(term: RewardTerm, given: Ingredients) -> RandomReward:
    """A number in [0, 1] that the tokens and the run's seed make."""
    return RandomReward(given.seed)
