"""Settings of a function of the user's as a reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import RewardTerm

__all__ = ["FunctionTerm"]


@dataclass
class FunctionTerm(RewardTerm):
    """A function of your own, named by a dotted path."""

    builds: ClassVar[str] = "seqgan.rewards.functions:FunctionReward"
    alone = True
