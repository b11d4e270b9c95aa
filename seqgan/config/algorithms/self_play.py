"""Settings of self-play: the policy is the discriminator between the data and its former self."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import sizes
from .base import AlgorithmConfig, PolicyOptimizer
from .policy_gradient import PolicyGradient

__all__ = ["SelfPlay"]


@dataclass
class SelfPlayOptimizer(PolicyOptimizer):
    """The optimizer of the generator in the rounds."""

    learning_rate: float = 5e-4


@dataclass
class SelfPlay(AlgorithmConfig):
    """The log-odds log q - log q_old of the policy q tell data from samples of its former self.

    At the optimum of this cross-entropy q is the density of the data (DGSAN, Montahaei et al. 2020;
    SPIN, Chen et al. 2024, has the same odds). No network but the policy is trained.

    Attributes:
        name: kind of update.
        refresh: steps after which the former self is replaced by the policy as it is.
        batch_size: training sequences per step, and as many samples of the former self.
        optimizer: of the generator.
    """

    builds: ClassVar[str] = "seqgan.training.self_play:SelfPlayUpdates"
    name: str = "self_play"
    refresh: int = 20
    batch_size: int = 64
    optimizer: SelfPlayOptimizer = field(default_factory=SelfPlayOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "refresh", "batch_size")

    def as_policy_gradient(self) -> PolicyGradient:
        """REINFORCE with the same batches and optimizer: the control's updates."""
        return PolicyGradient(batch_size=self.batch_size, rollouts=0, optimizer=self.optimizer)
