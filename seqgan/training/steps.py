"""The steps of a player, counted, with the stretch of them that a round asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..runs.state import fields_of, set_fields
from .runtime import Runtime

__all__ = ["Steps", "read_once"]

FIELDS = ("number", "until", "spread_sum")


def read_once(figures: Mapping[str, Tensor]) -> dict[str, float]:
    """Numbers of a device as ones of the host, which waits for the device once and not for each."""
    if not figures:
        return {}
    device = next(iter(figures.values())).device
    values = [each.detach().to(device) for each in figures.values()]
    kind = functools.reduce(torch.promote_types, (each.dtype for each in values), torch.float32)
    found = torch.stack([each.to(kind) for each in values]).tolist()
    return dict(zip(figures, found, strict=True))


class Steps:
    """A count of steps that can be interrupted in the middle of a stretch, and resumed there.

    Attributes:
        number: steps that were taken.
        until: the number at which the stretch ends; -1 between two stretches.
        spread_sum: sum over the steps of the standard deviation of their advantages or weights.
    """

    def __init__(self) -> None:
        self.number, self.until = 0, -1
        self.spread_sum = 0.0

    @property
    def spread(self) -> float:
        """Mean over the steps of what `spread_sum` adds up."""
        return self.spread_sum / max(1, self.number)

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
