"""Settings of maximum likelihood training."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import dropout, shares, sizes
from .optimizers import OptimizerConfig
from .settings import Settings

__all__ = ["PretrainConfig", "PretrainOptimizer"]


@dataclass
class PretrainOptimizer(OptimizerConfig):
    """The optimizer of MLE training; its plateau schedule measures validation NLL per epoch."""

    group = "pretrain.optimizer."
    measurements = ("validation_nll", "train_nll")
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
        label_smoothing: share of every token's probability that the loss asks for at all tokens
            that can be emitted alike, from 0 to below 1.
        scheduled_sampling: share of inputs that are the model's own tokens in the place of the real
            ones (Bengio et al. 2015), from 0 to 1; it rises from 0 along a line.
        scheduled_sampling_steps: gradient steps until it is reached.
        run: folder of a run whose pretrained generator and vocabulary training begins with, on
            other data; none: a new generator.
        optimizer: of the training.
    """

    rare = ("label_smoothing", "scheduled_sampling", "scheduled_sampling_steps")

    group = "pretrain."

    epochs: int = 100
    epoch_steps: int = 0
    early_stopping: bool = True
    patience: int = 3
    batch_size: int = 64
    label_smoothing: float = 0.0
    scheduled_sampling: float = 0.0
    scheduled_sampling_steps: int = 1_000
    run: str | None = None
    optimizer: PretrainOptimizer = field(default_factory=PretrainOptimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "epochs", "patience", "batch_size", "scheduled_sampling_steps")
        sizes(self, "epoch_steps", least=0)
        dropout(self, "label_smoothing")
        shares(self, "scheduled_sampling")
