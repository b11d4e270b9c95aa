"""Settings of the differentiable player: gradients through relaxed samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import choice, not_negative, positive, sizes
from .base import AlgorithmConfig, PolicyOptimizer
from .policy_gradient import PolicyGradient

__all__ = ["LOSS_OF", "Relaxed"]

ESTIMATORS = ("straight_through", "soft")
SCHEDULES = ("constant", "linear", "exponential")
LOSS_OF = {
    "minimax": "minimax",
    "non_saturating": "minimax",
    "log_odds": "minimax",
    "probability": "minimax",
    "penalty": "minimax",
    "centred": "minimax",
    "least_squares": "least_squares",
    "hinge": "hinge",
    "wasserstein": "wasserstein",
    "difference": "difference",
    "relativistic": "relativistic",
    "pairwise": "relativistic",
    "relativistic_average": "relativistic_average",
}
"""The loss of the discriminator that goes with each loss of the generator."""


@dataclass
class RelaxedOptimizer(PolicyOptimizer):
    """The optimizer of the generator in the rounds."""

    learning_rate: float = 1e-4


@dataclass
class Relaxed(AlgorithmConfig):
    """Gradients of the discriminator through samples of the Gumbel-softmax (Jang et al. 2017).

    Attributes:
        name: kind of update.
        loss: of the generator: minimax, non_saturating, log_odds, probability, penalty, centred,
            least_squares, hinge, wasserstein, difference, relativistic, pairwise,
            relativistic_average.
        estimator: straight_through (true tokens ahead, the soft gradient back), or soft (the
            discriminator reads mixtures of tokens, in its own steps too, and the next step the
            token: RelGAN's).
        temperature: of the softmax, in the first step.
        last_temperature: the same after `temperature_steps` steps.
        schedule: of the temperature: constant, linear, exponential (RelGAN's).
        temperature_steps: steps until the last temperature.
        mle_weight: weight of the negative log-likelihood, in nats per token, of as many training
            sequences, without dropout; 0: none.
        batch_size: sequences per step.
        optimizer: of the generator.
    """

    rare: ClassVar[tuple[str, ...]] = ("temperature_steps", "mle_weight")
    any_reward = False

    builds: ClassVar[str] = "seqgan.training.relaxed:RelaxedUpdates"
    name: str = "relaxed"
    loss: str = "non_saturating"
    estimator: str = "straight_through"
    temperature: float = 1.0
    last_temperature: float = 0.1
    schedule: str = "exponential"
    temperature_steps: int = 1_000
    batch_size: int = 64
    mle_weight: float = 0.0
    optimizer: RelaxedOptimizer = field(default_factory=RelaxedOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "loss", LOSS_OF)
        choice(self, "estimator", ESTIMATORS)
        choice(self, "schedule", SCHEDULES)
        positive(self, "temperature", "last_temperature", below=1e3)
        sizes(self, "batch_size", "temperature_steps")
        not_negative(self, "mle_weight")

    @property
    def shows_mixtures(self) -> bool:
        """Tells if the discriminator reads mixtures of tokens in place of the policy's tokens."""
        return self.estimator == "soft"

    def as_policy_gradient(self) -> PolicyGradient:
        """REINFORCE with the same batches and optimizer: the control's updates."""
        return PolicyGradient(
            batch_size=self.batch_size, rollouts=0, mle_weight=self.mle_weight,
            optimizer=self.optimizer,
        )  # fmt: skip
