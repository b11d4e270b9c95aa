"""Settings of a gradient step: optimizer, schedule, clipping. All trainings share them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from .checks import choice, not_negative, positive, require, shares, sizes
from .settings import Settings

__all__ = ["OPTIMIZERS", "RISING", "SCHEDULES", "OptimizerConfig"]

OPTIMIZERS = ("adam", "adamw", "radam")
SCHEDULES = ("constant", "plateau", "cosine", "linear")
RISING = ("heldout_gain", "heldout_accuracy", "entropy")
"""Measurements that are better if they are larger; all others are better if they are smaller."""


@dataclass
class OptimizerConfig(Settings):
    """The optimizer of one training, its learning rate over time, and gradient clipping.

    Attributes:
        name: adam, adamw (weight decay apart from the gradient), radam (rectified Adam, Liu et al.
            2020, with the weight decay of adamw).
        learning_rate: at the start, after the warm-up.
        weight_decay: of the optimizer.
        clip_norm: largest norm of the gradient.
        schedule: constant; plateau (the learning rate is multiplied by `factor` when what the
            training measures has not improved for `plateau_patience` measurements); cosine (it
            falls along half a cosine to `final_share` of itself over `decay_steps` steps, and stays
            there); linear (the same along a line).
        factor: of the plateau schedule.
        plateau_patience: measurements without improvement before the learning rate is cut.
        plateau_metric: name in the log of the measurement that the plateau schedule watches; none:
            the one that the training itself goes by.
        decay_steps: gradient steps of the cosine or linear schedule, after the warm-up.
        final_share: of the learning rate, at the end of the cosine or linear schedule.
        warmup_steps: gradient steps over which the learning rate rises in equal parts; 0: none.
        lookahead_steps: every so many steps the weights go back half of the way to where they were
            (Lookahead, Zhang et al. 2019; needs the extra `optimizers`); 0: never.
        average_decay: the exponential moving average of the weights, which keeps this share of
            itself at each step, is what is validated, kept and sampled; 0: the weights themselves.
    """

    rare = (
        "name", "clip_norm", "schedule", "factor", "plateau_patience", "plateau_metric",
        "decay_steps", "final_share", "warmup_steps", "lookahead_steps", "average_decay",
    )  # fmt: skip
    measurements: ClassVar[tuple[str, ...]] = ()
    """The names that `plateau_metric` may have in this training."""

    name: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    clip_norm: float = 5.0
    schedule: str = "constant"
    factor: float = 0.5
    plateau_patience: int = 0
    plateau_metric: str | None = None
    decay_steps: int = 400
    final_share: float = 0.05
    warmup_steps: int = 0
    lookahead_steps: int = 0
    average_decay: float = 0.0

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The optimizers, the schedules, and what the training measures."""
        known = {
            "name": OPTIMIZERS, "schedule": SCHEDULES, "plateau_metric": cls.measurements,
        }  # fmt: skip
        return known.get(name, ())

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "name", OPTIMIZERS)
        choice(self, "schedule", SCHEDULES)
        if self.plateau_metric is not None:
            choice(self, "plateau_metric", self.measurements)
        positive(self, "learning_rate", below=10)
        positive(self, "clip_norm")
        not_negative(self, "weight_decay")
        require(0 < self.factor < 1, f"--{self.group}factor: {self.factor} is not in (0, 1)")
        sizes(self, "plateau_patience", "warmup_steps", "lookahead_steps", least=0)
        sizes(self, "decay_steps")
        share = self.final_share
        require(0 < share <= 1, f"--{self.group}final_share: {share} is not in (0, 1]")
        shares(self, "average_decay", most=0.99999)
