"""Settings of the checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import require, sizes
from .settings import Settings

__all__ = ["CheckpointConfig"]


@dataclass
class CheckpointConfig(Settings):
    """Times at which a run's state is written, to resume from; no result depends on them.

    Attributes:
        every_minutes: minutes between two checkpoints; 0: not by the clock.
        every_steps: gradient steps of all models between two checkpoints; 0: not by steps.
        keep: how many of the newest are kept, besides that of the pretrained model and the best.
    """

    rare = ("every_steps", "keep")

    group = "checkpoint."

    every_minutes: float = 5.0
    every_steps: int = 0
    keep: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            0 <= self.every_minutes < float("inf"),
            f"--checkpoint.every_minutes: {self.every_minutes} is not 0 or above",
        )
        sizes(self, "every_steps", least=0)
        sizes(self, "keep")
