"""Settings of the trainings: MLE, the discriminator, the adversarial rounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, not_negative, positive, require, shares, sizes
from .names import GAN_LOSSES
from .optimizers import OptimizerConfig
from .settings import Settings

__all__ = ["AdversarialConfig", "CriticConfig", "PretrainConfig"]


@dataclass
class PretrainOptimizer(OptimizerConfig):
    """The optimizer of MLE training; its plateau schedule measures validation NLL per epoch."""

    group = "pretrain.optimizer."
    schedule: str = "plateau"


@dataclass
class PretrainConfig(Settings):
    """Maximum likelihood (MLE) training of the generator.

    Attributes:
        epochs: passes over the training split: at most, or exactly if early_stopping is off.
        epoch_steps: gradient steps per epoch, for a training split so large that a whole pass
            takes too long; the next epoch continues where this one ends. 0: a whole pass.
        early_stopping: stop when validation NLL has not improved for `patience` epochs (by a
            ten-thousandth of it or more), and keep the best state; off: train exactly `epochs` and
            keep the last state (the paper's way). If `epochs` end training first, the baseline
            has not converged: the verdict says so, and no run is then called a success.
        patience: epochs without improvement before training stops.
        batch_size: sequences per step.
        optimizer: of the training.
    """

    group = "pretrain."

    epochs: int = 100
    epoch_steps: int = 0
    early_stopping: bool = True
    patience: int = 3
    batch_size: int = 64
    optimizer: PretrainOptimizer = field(default_factory=PretrainOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "epochs", "patience", "batch_size")
        sizes(self, "epoch_steps", least=0)


@dataclass
class CriticOptimizer(OptimizerConfig):
    """The optimizer of the discriminator."""

    group = "critic.optimizer."
    learning_rate: float = 2e-3
    weight_decay: float = 0.05


@dataclass
class CriticConfig(Settings):
    """Training of the discriminator: before the rounds, and in them.

    Attributes:
        steps: gradient steps before the rounds: at most, or exactly if early_stopping is off.
        early_stopping: stop when the calibrated held-out gain has not improved for `patience`
            measurements, and keep the best state.
        patience: measurements without improvement before training stops.
        measure_every: steps between two measurements of accuracies and held-out gain.
        negatives: generated sequences to train against, drawn once before the steps; 0: as many
            as there are training sequences, at most 100,000.
        loss: of the discriminator: minimax (binary cross-entropy), least_squares, hinge,
            wasserstein, relativistic, relativistic_average.
        gradient_penalty: weight of the penalty on the slope of the discriminator between real and
            generated sequences (Gulrajani et al. 2017); by default 10 with wasserstein, else 0.
        label_smoothing: share of "generated" in the label of real sequences (minimax).
        batch_size: real sequences per step, and as many generated ones.
        rounds_learning_rate: learning rate in the adversarial rounds.
        optimizer: of the training.
    """

    rare = ("negatives", "patience", "measure_every", "gradient_penalty", "label_smoothing")

    group = "critic."

    steps: int = 1_000
    early_stopping: bool = True
    patience: int = 4
    measure_every: int = 100
    negatives: int = 0
    loss: str = "minimax"
    gradient_penalty: float | None = None
    label_smoothing: float = 0.0
    batch_size: int = 128
    rounds_learning_rate: float = 5e-4
    optimizer: CriticOptimizer = field(default_factory=CriticOptimizer)

    @property
    def penalty(self) -> float:
        """The weight of the gradient penalty."""
        if self.gradient_penalty is None:
            return 10.0 if self.loss == "wasserstein" else 0.0
        return self.gradient_penalty

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "steps", "patience", "measure_every", "batch_size")
        sizes(self, "negatives", least=0)
        choice(self, "loss", GAN_LOSSES)
        if self.gradient_penalty is not None:
            not_negative(self, "gradient_penalty")
        shares(self, "label_smoothing", most=0.9)
        require(
            self.loss == "minimax" or not self.label_smoothing,
            "--critic.label_smoothing is for --critic.loss minimax",
        )
        positive(self, "rounds_learning_rate", below=10)


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
    """

    group = "adversarial."

    rounds: int = 40
    early_stopping: bool = True
    patience: int = 5
    measure_every: int = 2
    generator_steps: int = 1
    critic_steps: int = 10
    on_trouble: str = "warn"

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "rounds", "measure_every", "generator_steps")
        sizes(self, "patience", "critic_steps", least=0)
        choice(self, "on_trouble", ("warn", "stop", "restore"))
