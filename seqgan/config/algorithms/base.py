"""Settings that all updates of the generator share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..components import Component
from ..optimizers import OptimizerConfig

if TYPE_CHECKING:
    from .policy_gradient import PolicyGradient

__all__ = ["AlgorithmConfig", "PolicyOptimizer"]


@dataclass
class AlgorithmConfig(Component):
    """The update of the generator in the rounds."""

    group = "algorithm."
    selector = "name"

    listed: ClassVar[str] = "seqgan.config.algorithms:ALGORITHMS"
    any_reward: ClassVar[bool] = True
    """False if it takes the discriminator's gradient, and no other reward can stand for it."""

    @property
    def shows_mixtures(self) -> bool:
        """Tells if the discriminator reads mixtures of tokens in place of the policy's tokens."""
        return False

    @property
    def compares_labels(self) -> bool:
        """Tells if both players' losses are taken within each label too."""
        return False

    def as_policy_gradient(self) -> PolicyGradient:
        """Policy gradient with the same batches and optimizer, for the control's updates."""
        raise NotImplementedError(f"{type(self).__name__} has no control")

    def judged(self, steps: int, length: int, training: int) -> int:
        """Sequences that the reward judges in some steps.

        Args:
            steps: gradient steps, or batches of samples.
            length: tokens of the longest sequence.
            training: training sequences, or the most samples that are drawn at once.
        """
        same = self.as_policy_gradient()
        prefixes = -(-length // same.positions)
        own = 2 if same.explorer_rate > 0 else 0  # samples of the policy before and after a step
        return steps * same.batch_size * (1 + own + same.rollouts * prefixes)


@dataclass
class PolicyOptimizer(OptimizerConfig):
    """The optimizer of the generator in the rounds."""

    group = "algorithm.optimizer."
    measurements = ("score", "nll", "entropy")
    name: str = "adam"
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
