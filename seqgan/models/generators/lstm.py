"""The LSTM generator: the policy of the SeqGAN paper, with the regularisation of a tuned one.

Shapes: R rows in flight, H hidden units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...config import LSTM
from ...data.spec import TokenSpec
from ..recurrent import LSTM as LSTMLayers
from .recurrent import RecurrentGenerator

__all__ = ["LSTMGenerator"]


class LSTMGenerator(RecurrentGenerator):
    """An LSTM language model (Hochreiter and Schmidhuber 1997) as a policy.

    Args:
        settings: sizes, dropout, tied embeddings, initial scale.
        spec: the token ids.
    """

    cells = ("lstm", LSTMLayers)

    def __init__(self, settings: LSTM, spec: TokenSpec):
        super().__init__(settings, spec)
        if settings.initial_scale is not None:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=settings.initial_scale)

    def initial_layer(self, zeros: Tensor) -> tuple[Tensor, Tensor]:
        """State h and c, both [R, H]."""
        return zeros, zeros

    def cell(self, inputs: Tensor, state: Any, weights: Sequence[Tensor]) -> tuple[Tensor, Any]:
        """The outputs [R, H] of one layer after one more token, and its new state."""
        h, c = torch.lstm_cell(inputs, state, *weights)
        return h, (h, c)
