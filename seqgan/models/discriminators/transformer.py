"""A Transformer encoder as discriminator.

Shapes: B sequences, T tokens, E width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences
from rollout.sequences import inside

from ...config.discriminators.transformer import TransformerEncoder
from ...data.spec import TokenSpec
from ..attention import Block, initialise, turn_at
from .base import Discriminator
from .pooling import exact_logits, mean_and_maximum
from .spectral import normalise

__all__ = ["TransformerDiscriminator"]


class TransformerDiscriminator(Discriminator):
    """Layers in which every token looks at all others, pooled by mean and maximum.

    Pre-norm, with rotary positions (Su et al. 2021).

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label", "source")

    def __init__(self, settings: TransformerEncoder, spec: TokenSpec):
        super().__init__(settings, spec)
        width, layers, heads = settings.width, settings.layers, settings.heads
        self.units = width // heads
        self.embedding = nn.Embedding(spec.vocab_size, width)
        self.read_labels(spec, width)
        self.read_source(spec, width)
        self.blocks = nn.ModuleList(Block(width, heads, settings.dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(2 * width, 1)
        initialise(self, width, layers)
        if settings.spectral_norm:
            normalise(self)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B] of embedded sequences."""
        units = self._passed(embeddings, lengths, condition, None)
        return exact_logits(self.dropout(mean_and_maximum(self.norm(units), lengths)), self.output)

    def attention_weights(self, sequences: Sequences) -> Tensor:
        """Attention weights [B, layers, H, T, T], rows sum to 1."""
        weights: list[Tensor] = []
        embeddings = self.embedding(sequences.tokens)
        self._passed(embeddings, sequences.lengths, sequences.condition, weights)
        return torch.stack(weights, 1)

    def _passed(
        self, embeddings: Tensor, lengths: Tensor, condition: Any, weights: list[Tensor] | None
    ) -> Tensor:
        """The last layer's outputs [B, T, E]; puts each layer's attention into `weights`."""
        units = self.dropout(self.labelled(embeddings, condition))
        places = torch.arange(units.shape[1], device=lengths.device)
        turn = turn_at(places, self.units, embeddings)
        # What comes after the end is nothing to look at; an empty sequence looks at its padding.
        mask = inside(lengths.clamp(min=1), units.shape[1])[:, None, None]
        for block in self.blocks:
            assert isinstance(block, Block)
            if weights is not None:
                weights.append(block.weights(units, turn, mask))
            units, _ = block(units, turn, mask)
        return units
