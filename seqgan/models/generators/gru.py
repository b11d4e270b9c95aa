"""The GRU generator.

Shapes: R rows in flight, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..recurrent import GRU as GRULayers
from .recurrent import RecurrentGenerator

__all__ = ["GRUGenerator"]


class GRUGenerator(RecurrentGenerator):
    """A GRU language model (Cho et al. 2014) as a policy.

    Args:
        settings: sizes, dropout, tied embeddings.
        spec: the token ids.
    """

    cells = ("gru", GRULayers)

    def initial_layer(self, zeros: Tensor) -> Tensor:
        """State [R, H]."""
        return zeros

    def cell(self, inputs: Tensor, state: Any, weights: Sequence[Tensor]) -> tuple[Tensor, Any]:
        """The outputs [R, H] of one layer after one more token, and its new state."""
        hidden = torch.gru_cell(inputs, state, *weights)
        return hidden, hidden
