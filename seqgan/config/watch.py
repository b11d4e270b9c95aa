"""Settings of ``seqgan watch``."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import require, sizes
from .settings import Settings

__all__ = ["WatchConfig"]


@dataclass
class WatchConfig(Settings):
    """A run while it goes: its curves, its newest samples and their rewards.

    Attributes:
        run: folder of the run.
        every: seconds from one look to the next.
        once: look once, and end.
        report: seconds after which the report is written again; the page reloads itself as often
            until the command ends. 0: it is left alone.
        samples: samples shown.
    """

    run: str
    every: float = 2.0
    once: bool = False
    report: int = 0
    samples: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0.2 <= self.every <= 3_600, f"--every: {self.every} is not from 0.2 to 3600")
        sizes(self, "samples", least=0)
        require(
            self.report == 0 or 10 <= self.report <= 86_400,
            f"--report: {self.report} is neither 0 nor from 10 to 86400 seconds",
        )
