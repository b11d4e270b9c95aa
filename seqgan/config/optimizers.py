"""Settings of a gradient step: optimizer, schedule, clipping. All trainings share them."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import choice, not_negative, positive, require, sizes
from .settings import Settings

__all__ = ["OPTIMIZERS", "SCHEDULES", "OptimizerConfig"]

OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("constant", "plateau", "cosine")


@dataclass
class OptimizerConfig(Settings):
    """The optimizer of one training, its learning rate over time, and gradient clipping.

    Attributes:
        name: adam, or adamw (weight decay apart from the gradient).
        learning_rate: at the start.
        weight_decay: of the optimizer.
        clip_norm: largest norm of the gradient.
        schedule: constant; plateau (the learning rate is multiplied by `factor` when what the
            training measures has not improved for `plateau_patience` measurements); cosine (it
            falls along half a cosine to `final_share` of itself over `decay_steps` steps, and stays
            there).
        factor: of the plateau schedule.
        plateau_patience: measurements without improvement before the learning rate is cut.
        decay_steps: gradient steps of the cosine schedule.
        final_share: of the learning rate, at the end of the cosine schedule.
    """

    rare = (
        "name", "clip_norm", "schedule", "factor", "plateau_patience", "decay_steps", "final_share",
    )  # fmt: skip

    name: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    schedule: str = "constant"
    factor: float = 0.5
    plateau_patience: int = 0
    decay_steps: int = 400
    final_share: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "name", OPTIMIZERS)
        choice(self, "schedule", SCHEDULES)
        positive(self, "learning_rate", below=10)
        positive(self, "clip_norm")
        not_negative(self, "weight_decay")
        require(0 < self.factor < 1, f"--{self.group}factor: {self.factor} is not in (0, 1)")
        sizes(self, "plateau_patience", least=0)
        sizes(self, "decay_steps")
        share = self.final_share
        require(0 < share <= 1, f"--{self.group}final_share: {share} is not in (0, 1]")
