"""Settings of the rewards that have nothing to teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import RewardTerm

__all__ = ["ConstantTerm", "RandomTerm"]


@dataclass
class ConstantTerm(RewardTerm):
    """1 for every sequence."""

    builds: ClassVar[str] = "seqgan.rewards.controls:constant"
    objective = False
    name: str = "constant"


@dataclass
class RandomTerm(RewardTerm):
    """A number in [0, 1] that depends on the tokens and the run's seed alone."""

    builds: ClassVar[str] = "seqgan.rewards.controls:random"
    objective = False
    name: str = "random"
