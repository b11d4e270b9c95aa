"""Settings of maximum likelihood on training sequences as the update of the rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import choice, shares, sizes
from .base import AlgorithmConfig, PolicyOptimizer
from .policy_gradient import PolicyGradient

__all__ = ["Likelihood"]

WEIGHTS = ("none", "jensen_shannon")


@dataclass
class LikelihoodOptimizer(PolicyOptimizer):
    """The optimizer of the generator in the rounds."""

    learning_rate: float = 1e-3
    schedule: str = "cosine"


@dataclass
class Likelihood(AlgorithmConfig):
    """Weighted maximum likelihood of training sequences; no reward and no samples.

    Attributes:
        name: kind of update.
        weights: of the sequences: none (MLE), or jensen_shannon (JSDGAN: the gradient of the
            Jensen-Shannon divergence from the empirical distribution).
        scheduled_sampling: share of inputs that are the model's own tokens in the place of the real
            ones (Bengio et al. 2015), from 0 to 1; it rises from 0 along a line.
        scheduled_sampling_steps: gradient steps until it is reached.
        batch_size: sequences per step.
        optimizer: of the generator.
    """

    rare = ("scheduled_sampling_steps",)

    builds: ClassVar[str] = "seqgan.training.likelihood:LikelihoodUpdates"
    name: str = "likelihood"
    weights: str = "none"
    scheduled_sampling: float = 0.0
    scheduled_sampling_steps: int = 1_000
    batch_size: int = 64
    optimizer: LikelihoodOptimizer = field(default_factory=LikelihoodOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "weights", WEIGHTS)
        shares(self, "scheduled_sampling")
        sizes(self, "batch_size", "scheduled_sampling_steps")

    def as_policy_gradient(self) -> PolicyGradient:
        """REINFORCE with the same batches and optimizer: the control's updates."""
        return PolicyGradient(batch_size=self.batch_size, rollouts=0, optimizer=self.optimizer)
