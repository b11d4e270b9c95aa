"""Settings of a gradient step: optimizer, schedule, clipping. All trainings share them."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import choice, not_negative, positive, require, sizes
from .settings import Settings

__all__ = ["OPTIMIZERS", "SCHEDULES", "OptimizerConfig"]

OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("constant", "plateau")


@dataclass
class OptimizerConfig(Settings):
    """The optimizer of one training, its learning rate over time, and gradient clipping.

    Attributes:
        name: adam, or adamw (weight decay apart from the gradient).
        learning_rate: at the start.
        weight_decay: of the optimizer.
        clip_norm: largest norm of the gradient.
        schedule: constant; plateau (the learning rate is multiplied by `factor` when what the
            training measures has not improved for `plateau_patience` measurements).
        factor: of the plateau schedule.
        plateau_patience: measurements without improvement before the learning rate is cut.
    """

    rare = ("name", "clip_norm", "schedule", "factor", "plateau_patience")

    name: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    schedule: str = "constant"
    factor: float = 0.5
    plateau_patience: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "name", OPTIMIZERS)
        choice(self, "schedule", SCHEDULES)
        positive(self, "learning_rate", below=10)
        positive(self, "clip_norm")
        not_negative(self, "weight_decay")
        require(0 < self.factor < 1, f"--{self.group}factor: {self.factor} is not in (0, 1)")
        sizes(self, "plateau_patience", least=0)
