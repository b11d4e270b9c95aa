"""Settings of CoT's mediator as a reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import RewardTerm

__all__ = ["MediatorTerm"]


@dataclass
class MediatorTerm(RewardTerm):
    """log m - log q per token, m a model that is fitted to data and the policy's samples alike."""

    builds: ClassVar[str] = "seqgan.rewards.ratio:mediator_reward"
    density = True
    objective = False
    needs_mediator = True
    name: str = "mediator"
