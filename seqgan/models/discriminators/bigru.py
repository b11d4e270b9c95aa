"""A bidirectional GRU as discriminator."""

from __future__ import annotations

from ..recurrent import GRU
from .bilstm import BiLSTMDiscriminator

__all__ = ["BiGRUDiscriminator"]


class BiGRUDiscriminator(BiLSTMDiscriminator):
    """As the bidirectional LSTM, with three quarters of its recurrent weights.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    cells = GRU
