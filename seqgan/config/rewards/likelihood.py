"""Settings of the likelihood under a model as a reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .base import RewardTerm

__all__ = ["LikelihoodTerm"]


@dataclass
class LikelihoodTerm(RewardTerm):
    """Log-likelihood of a sequence under a model, in nats per token.

    Attributes:
        model: folder of a run with the same vocabulary; none: the pretrained model.
    """

    builds: ClassVar[str] = "seqgan.rewards.likelihood:Likelihood"
    name: str = "likelihood"
    model: str | None = None
