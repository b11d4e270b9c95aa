"""Samples of a step towards an ensemble, and the tokens of them to work on.

Shapes: B sequences, T tokens, M tokens to work on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rollout import Sequences

from .processes import Part

__all__ = ["RatioBatch"]


@dataclass(frozen=True)
class RatioBatch:
    """Samples, and the rows of them that this process works on.

    Attributes:
        whole: all samples of the step.
        chosen: bool [B, T], the tokens that a model chose itself.
        part: of this process.
        mine: its rows.
        rows: numbers of the tokens to work on, among those of `mine`.
    """

    whole: Sequences
    chosen: Tensor
    part: Part
    mine: Sequences
    rows: Tensor

    @property
    def mask(self) -> Tensor:
        """Bool [rows, T], the tokens that a model chose, of this process."""
        return self.chosen[self.part.rows]

    def flat(self, values: Tensor) -> Tensor:
        """Values [rows, T] of this process's part at the tokens to work on [M]."""
        return values.flatten(0, 1)[self.rows]

    def shaped(self, values: Tensor) -> Tensor:
        """Values [M] of the tokens to work on as [rows, T], 0 elsewhere."""
        blank = values.new_zeros(self.mask.numel()).index_copy(0, self.rows, values)
        return torch.where(self.mask, blank.view(self.mask.shape), 0.0)
