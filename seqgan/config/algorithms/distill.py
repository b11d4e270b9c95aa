"""Settings of distillation: weighted maximum likelihood on the policy's own samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import not_negative, shares, sizes
from .base import AlgorithmConfig, PolicyOptimizer
from .policy_gradient import PolicyGradient

__all__ = ["Distill"]


@dataclass
class DistillOptimizer(PolicyOptimizer):
    """The optimizer of the generator in the rounds."""

    learning_rate: float = 1e-3
    schedule: str = "cosine"


@dataclass
class Distill(AlgorithmConfig):
    """Maximum likelihood of p exp(beta f) / Z, p the pretrained policy and f the reward.

    Samples of the pretrained policy, drawn once unless `refresh` says otherwise, have weights in
    proportion to exp(beta f), and are mixed with training sequences. With a constant reward it is
    self-distillation.

    Attributes:
        name: kind of update.
        beta: factor of the reward in nats; 0: all samples have the same weight.
        samples: number of samples of the pretrained policy; 0: as many as there are training
            sequences, at most 100,000.
        refresh: steps after which the samples are drawn anew, from the policy as it then is, with
            weights by the discriminator as it then is (psi-MLE); 0: never.
        real_share: share of training sequences in a batch.
        batch_size: sequences per step.
        optimizer: of the generator.
    """

    builds: ClassVar[str] = "seqgan.training.distill:Distillation"
    name: str = "distill"
    beta: float = 1.0
    samples: int = 0
    refresh: int = 0
    real_share: float = 0.5
    batch_size: int = 64
    optimizer: DistillOptimizer = field(default_factory=DistillOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        not_negative(self, "beta")
        sizes(self, "samples", "refresh", least=0)
        shares(self, "real_share", most=0.99)
        sizes(self, "batch_size")

    def judged(self, steps: int, length: int, training: int) -> int:
        """The samples of each time that they are drawn; steps take theirs from these."""
        times = -(-steps // self.refresh) if self.refresh else min(1, steps)
        return times * (self.samples or training)

    def as_policy_gradient(self) -> PolicyGradient:
        """REINFORCE with the same batches and optimizer: the control's updates."""
        return PolicyGradient(batch_size=self.batch_size, rollouts=0, optimizer=self.optimizer)
