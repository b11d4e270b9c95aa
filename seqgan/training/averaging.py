"""An exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """The average of a model's trained weights over its gradient steps.

    After step t it keeps the share ``min(decay, (1 + t) / (10 + t))`` of itself, so that the
    weights of the beginning are soon forgotten.

    Args:
        model: the module.
        decay: share that is kept at each step, from 0 to below 1.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.count = decay, 0
        self.weights = [each for each in model.parameters() if each.requires_grad]
        self.mean = self._copies()
        self._aside: list[Tensor] | None = None

    @torch.no_grad()
    def update(self) -> None:
        """Takes the weights after one more step into the average."""
        self.count += 1
        share = min(self.decay, (1 + self.count) / (10 + self.count))
        torch._foreach_lerp_(self.mean, [each.data for each in self.weights], 1 - share)

    def restart(self) -> None:
        """Begins again from the weights as they are."""
        self.mean, self.count = self._copies(), 0

    def settle(self) -> None:
        """Puts the average in the place of the weights for good."""
        self._write(self.mean)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the average in the place of its weights meanwhile."""
        if self._aside is not None:  # it has them already
            yield
            return
        self._aside = self._copies()
        self._write(self.mean)
        try:
            yield
        finally:
            self._write(self._aside)
            self._aside = None

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint; with the weights themselves if the model has the average."""
        return {"mean": self.mean, "count": self.count, "aside": self._aside}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it, and the weights if the checkpoint's model had the average.

        Raises:
            ValueError: it is the average of another model.
        """
        lists = [state["mean"], *([] if state["aside"] is None else [state["aside"]])]
        shapes = [each.shape for each in self.weights]
        if any([each.shape for each in found] != shapes for found in lists):
            raise ValueError("an average of the weights of another model")
        self.count = int(state["count"])
        self.mean = [mean.to(own) for mean, own in zip(state["mean"], self.mean, strict=True)]
        if state["aside"] is not None:
            self._write([each.to(own) for each, own in zip(state["aside"], self.mean, strict=True)])

    def _copies(self) -> list[Tensor]:
        return [each.detach().clone() for each in self.weights]

    @torch.no_grad()
    def _write(self, values: list[Tensor]) -> None:
        torch._foreach_copy_([each.data for each in self.weights], values)
