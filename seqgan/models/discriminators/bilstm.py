"""A bidirectional LSTM as discriminator.

Shapes: B sequences, T tokens, E embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from ...config import BiLSTM
from ...data.spec import TokenSpec
from ..recurrent import LSTM, both_ways
from .base import Discriminator
from .pooling import exact_logits, mean_and_maximum
from .spectral import normalise

__all__ = ["BiLSTMDiscriminator"]


class BiLSTMDiscriminator(Discriminator):
    """A bidirectional LSTM, its outputs pooled by mean and maximum over a sequence's tokens.

    Regularised by dropout and weight decay, it memorises its real sequences more slowly than the
    CNN does (benchmarks/results/discriminators-oracle20.json).

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label", "source")
    cells: ClassVar[Callable[..., nn.RNNBase]] = LSTM

    def __init__(self, settings: BiLSTM, spec: TokenSpec):
        super().__init__(settings, spec)
        self.embedding = nn.Embedding(spec.vocab_size, settings.embedding)
        self.read_labels(spec, settings.embedding)
        self.read_source(spec, settings.embedding)
        self.ahead = self.cells(settings.embedding, settings.hidden, batch_first=True)
        self.back = self.cells(settings.embedding, settings.hidden, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(4 * settings.hidden, 1)
        if settings.spectral_norm:
            normalise(self)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B] of embedded sequences."""
        embeddings = self.labelled(embeddings, condition)
        inputs = self.dropout(embeddings)
        states = both_ways(inputs, lengths, self.ahead, self.back)
        return exact_logits(self.dropout(mean_and_maximum(states, lengths)), self.output)
