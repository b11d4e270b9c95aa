"""Mean of a loss, and a look-out for NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..errors import NonFiniteLossError

__all__ = ["LossWatch"]


class LossWatch:
    """Mean of a loss, and a look-out for NaN, without making the host wait at every step.

    Args:
        stage: named in the error.
        advice: what the user can do.
    """

    def __init__(self, stage: str, advice: str):
        self.stage, self.advice = stage, advice
        self._sum: torch.Tensor | None = None
        self._count = 0

    def add(self, loss: torch.Tensor, gradient_norm: torch.Tensor | float | None) -> None:
        """Takes in the loss and the gradient's norm of one step; the device is not read."""
        gradient_norm = 0.0 if gradient_norm is None else gradient_norm
        # A gradient that is not finite spoils the parameters though the loss was fine.
        loss = loss.detach() + 0.0 * torch.as_tensor(gradient_norm, device=loss.device)
        self._sum = loss if self._sum is None else self._sum.to(loss.device) + loss
        self._count += 1

    def __len__(self) -> int:
        """Steps since the last reading."""
        return self._count

    def state_dict(self) -> dict[str, Any]:
        """What was gathered since the last reading."""
        return {"sum": self._sum, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self._sum, self._count = state["sum"], int(state["count"])

    def read(self, step: int, last_good: Callable[[], str]) -> float:
        """The mean since the last reading.

        Args:
            step: the number of the last step.
            last_good: names the newest checkpoint, for the error.

        Raises:
            NonFiniteLossError: a loss since then was NaN or infinite.
        """
        mean = float(self._sum) / self._count if self._sum is not None else float("nan")
        first = step - self._count + 1
        self._sum, self._count = None, 0
        if not (mean - mean == 0):
            raise NonFiniteLossError(
                f"{self.stage}: the loss or its gradient became {mean} between steps {first} and "
                f"{step}; last good checkpoint: {last_good()}; {self.advice}"
            )
        return mean
