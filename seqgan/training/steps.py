"""The steps of a player, counted, with the stretch of them that a round asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..runs.state import fields_of, set_fields
from .runtime import Runtime

__all__ = ["Steps"]

FIELDS = ("number", "until")


class Steps:
    """A count of steps that can be interrupted in the middle of a stretch, and resumed there.

    Attributes:
        number: steps that were taken.
        until: the number at which the stretch ends; -1 between two stretches.
    """

    def __init__(self) -> None:
        self.number, self.until = 0, -1

    def stretch(
        self,
        count: int,
        step: Callable[[], None],
        runtime: Runtime,
        done: Callable[[], bool] = lambda: False,
    ) -> None:
        """Takes `count` steps, or what is left of them after a resume.

        Args:
            count: steps of the stretch.
            step: takes one step, and adds 1 to `number`.
            runtime: pauses for checkpoints and signals after each.
            done: tells, after each step, if the rest of the stretch is not wanted.
        """
        if self.until < 0:
            self.until = self.number + count
        while self.number < self.until and not done():
            step()
            runtime.pause()
        self.until = -1

    def cut_short(self) -> None:
        """Gives up what is left of the stretch."""
        self.until = -1

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return fields_of(self, FIELDS)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
