"""An MLP on pooled embeddings as discriminator.

Shapes: B sequences, T tokens, E embedding, H hidden units.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from ...config.discriminators.mlp import MLP
from ...data.spec import TokenSpec
from .base import Discriminator
from .pooling import exact_logits, mean_and_maximum
from .spectral import normalise

__all__ = ["MLPDiscriminator"]


class MLPDiscriminator(Discriminator):
    """Hidden layers on the mean and the maximum of a sequence's embeddings.

    It sees which tokens a sequence holds and in what shares, and nothing of their order: what it
    finds is a floor for discriminators that read the order.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label", "source")

    def __init__(self, settings: MLP, spec: TokenSpec):
        super().__init__(settings, spec)
        self.embedding = nn.Embedding(spec.vocab_size, settings.embedding)
        self.read_labels(spec, settings.embedding)
        self.read_source(spec, settings.embedding)
        self.dropout = nn.Dropout(settings.dropout)
        sizes = [2 * settings.embedding, *[settings.hidden] * settings.layers]
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(sizes))
        self.output = nn.Linear(settings.hidden, 1)
        if settings.spectral_norm:
            normalise(self)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B] of embedded sequences."""
        embeddings = self.labelled(embeddings, condition)
        features = self.dropout(mean_and_maximum(embeddings, lengths))
        for layer in self.hidden:
            features = self.dropout(layer(features).relu())
        return exact_logits(features, self.output)
