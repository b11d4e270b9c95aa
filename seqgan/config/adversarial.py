"""Settings of the adversarial rounds."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import choice, sizes
from .settings import Settings

__all__ = ["AdversarialConfig"]


@dataclass
class AdversarialConfig(Settings):
    """Adversarial rounds: generator steps and discriminator steps in turn.

    Attributes:
        rounds: number of rounds: at most, or exactly if early_stopping is off.
        early_stopping: stop when validation has seen no progress for `patience` measurements, and
            keep the best state; off: do exactly `rounds` and keep the last state (the paper's way).
        patience: measurements on validation without progress before the rounds stop; 0: never.
        measure_every: rounds between two measurements on validation.
        generator_steps: generator steps per round.
        critic_steps: discriminator steps per round, on fresh samples.
        on_trouble: reaction if the policy collapses or drifts far from the pretrained one, if the
            discriminator wins, loses or memorises, or if a loss is NaN: warn (and go on; NaN is
            an error), stop (the best state is kept), restore (if it is the generator's: return to
            the best state of both models, with half the learning rate).
        mle_epochs: epochs of MLE after the discriminator's training and before the rounds, for a
            generator that reads the discriminator's features (LeakGAN); 0: none.
        start: the policy that the rounds begin with: mle (the pretrained one), or scratch (fresh
            parameters; the pretrained one is the baseline all the same).
    """

    group = "adversarial."

    rounds: int = 40
    early_stopping: bool = True
    patience: int = 5
    measure_every: int = 2
    generator_steps: int = 1
    critic_steps: int = 10
    on_trouble: str = "warn"
    mle_epochs: int = 0
    start: str = "mle"

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "rounds", "measure_every", "generator_steps")
        sizes(self, "patience", "critic_steps", "mle_epochs", least=0)
        choice(self, "start", ("mle", "scratch"))
        choice(self, "on_trouble", ("warn", "stop", "restore"))
