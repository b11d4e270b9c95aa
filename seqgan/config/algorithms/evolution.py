"""Settings of evolution: several relaxed updates, of which the fittest is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import not_negative, require
from .relaxed import LOSS_OF, Relaxed

__all__ = ["Evolution"]


RELATIVISTIC = ("relativistic", "relativistic_average")
"""Losses that can be taken within a label."""


@dataclass
class Evolution(Relaxed):
    """Relaxed updates by several losses and temperatures; the fittest child is kept (CatGAN).

    Attributes:
        name: kind of update.
        loss: the one that the discriminator's loss goes with; see --critic.loss.
        estimator: straight_through (true tokens ahead, the soft gradient back), or soft (the
            discriminator reads mixtures of tokens, in its own steps too, and the next step the
            token: RelGAN's).
        temperature: of the softmax, in the first step.
        last_temperature: the same after `temperature_steps` steps.
        schedule: of the temperature: constant, linear, exponential (RelGAN's).
        temperature_steps: steps until the last temperature.
        batch_size: sequences per step.
        optimizer: of the generator.
        losses: of the generator, each the start of a child.
        temperature_factors: of the schedule's temperature; each loss has a child with each of them.
        within_labels: on data with labels, both models' losses are taken among the sequences of
            each label too, and added to that among all (CatGAN's hierarchy).
        diversity_weight: of the policy's surprise at its own samples, nats per token, in the
            fitness.
    """

    rare = ("temperature_steps", "temperature_factors", "within_labels")

    builds: ClassVar[str] = "seqgan.training.evolution:EvolutionUpdates"
    name: str = "evolution"
    loss: str = "relativistic_average"
    losses: list[str] = field(default_factory=lambda: ["relativistic", "relativistic_average"])
    temperature_factors: list[float] = field(default_factory=lambda: [1.0, 0.8])
    within_labels: bool = True
    diversity_weight: float = 0.001

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.losses), f"--{self.group}losses: give one or more")
        for loss in self.losses:
            require(
                loss in LOSS_OF, f"--{self.group}losses: {loss!r} is none of {', '.join(LOSS_OF)}"
            )
        require(
            bool(self.temperature_factors) and all(0 < x < 100 for x in self.temperature_factors),
            f"--{self.group}temperature_factors: {self.temperature_factors} are not numbers above "
            "0 and below 100",
        )
        require(
            not self.within_labels or {self.loss, *self.losses} <= {*RELATIVISTIC},
            f"--{self.group}within_labels compares sequences in pairs, for the losses "
            f"{', '.join(RELATIVISTIC)}; set it to false, or leave other losses out",
        )
        not_negative(self, "diversity_weight")

    @property
    def compares_labels(self) -> bool:
        """Tells if both players' losses are taken within each label too."""
        return self.within_labels
