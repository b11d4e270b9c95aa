"""Part that the discriminators from left to right share."""

from __future__ import annotations

from torch import nn

from ...config.discriminators.causal_lstm import CausalLSTM
from ...config.discriminators.language_model import LanguageModel
from ...data.spec import TokenSpec
from ..recurrent import LSTM
from .base import Discriminator

__all__ = ["LeftToRight"]


class LeftToRight(Discriminator):
    """An LSTM from left to right, without an output layer; its logits are those of tokens.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label", "source")
    per_token = True

    def __init__(self, settings: CausalLSTM | LanguageModel, spec: TokenSpec):
        super().__init__(settings, spec)
        size, hidden, layers = settings.embedding, settings.hidden, settings.layers
        self.embedding = nn.Embedding(spec.vocab_size, size)
        self.read_labels(spec, size)
        self.read_source(spec, size)
        between = settings.dropout if layers > 1 else 0.0
        self.lstm = LSTM(size, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(settings.dropout)
