"""Settings of the density ratio as a reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import RewardTerm

__all__ = ["RatioTerm"]


@dataclass
class RatioTerm(RewardTerm):
    """log p - log q per token, p the density of --ensemble and q the policy's."""

    builds: ClassVar[str] = "seqgan.rewards.ratio:ratio_reward"
    density = True
    objective = False
    name: str = "ratio"
