"""Encoders of source sequences, and attention to what they found.

Nothing beyond a source's length is read, whatever the width of the batch.

Shapes: B sequences, S source tokens, R rows in flight, T tokens, H units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rollout.sequences import inside

from ..data.spec import TokenSpec
from .attention import Block, turn_at
from .recurrent import both_ways

__all__ = ["Attention", "RecurrentEncoder", "SourceVector", "TransformerEncoder"]


class RecurrentEncoder(nn.Module):
    """A bidirectional recurrent network over source tokens.

    Args:
        spec: the token ids.
        layer: class of the recurrent layers.
        embedding: size of the source tokens' embeddings.
        hidden: H.
        dropout: probability.
    """

    def __init__(
        self,
        spec: TokenSpec,
        layer: Callable[..., nn.RNNBase],
        embedding: int,
        hidden: int,
        dropout: float,
    ):
        super().__init__()
        self.embedding = nn.Embedding(spec.source_vocab, embedding)
        self.ahead = layer(embedding, hidden, batch_first=True)
        self.back = layer(embedding, hidden, batch_first=True)
        self.joined = nn.Linear(2 * hidden, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, source: Tensor, lengths: Tensor) -> Tensor:
        """Outputs [B, S, H] for sources int64 [B, S]; arbitrary beyond their lengths [B]."""
        inputs = self.dropout(self.embedding(source))
        found: Tensor = self.joined(both_ways(inputs, lengths, self.ahead, self.back))
        return self.dropout(found)


class TransformerEncoder(nn.Module):
    """Transformer layers over source tokens, each of which looks at all of them.

    Args:
        spec: the token ids.
        width: H.
        layers: number of layers.
        heads: attention heads of each.
        dropout: probability.
    """

    def __init__(self, spec: TokenSpec, width: int, layers: int, heads: int, dropout: float):
        super().__init__()
        self.units = width // heads
        self.embedding = nn.Embedding(spec.source_vocab, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, source: Tensor, lengths: Tensor) -> Tensor:
        """Outputs [B, S, H] for sources int64 [B, S]; arbitrary beyond their lengths [B]."""
        units = self.dropout(self.embedding(source))
        places = torch.arange(source.shape[1], device=source.device)
        turn = turn_at(places, self.units, units)
        mask = inside(lengths, source.shape[1])[:, None, None]
        for block in self.blocks:
            units, _ = block(units, turn, mask)
        found: Tensor = self.norm(units)
        return found


class Attention(nn.Module):
    """Attention of a recurrent decoder's outputs to those of the encoder.

    ``tanh(W [h; c])`` with c the mean of the memory weighted by the softmax of ``h A m`` (Luong et
    al. 2015, equations 5 and 8, "general").

    Args:
        features: F, of the decoder's outputs.
        hidden: H, of the memory.
    """

    def __init__(self, features: int, hidden: int):
        super().__init__()
        self.query = nn.Linear(features, hidden, bias=False)
        self.mixed = nn.Linear(features + hidden, features, bias=False)

    def forward(self, features: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """The features [R, T, F] that have looked at the memory [R, S, H], where `mask` [R, S]."""
        shares = self.weights(features, memory, mask)
        # What lies beyond a source is multiplied by 0, and may be anything but NaN.
        return self.mixed(torch.cat([features, shares @ memory], dim=-1)).tanh()

    def weights(self, features: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """The attention weights [R, T, S] of `forward` for the same arguments."""
        scores = self.query(features) @ memory.transpose(1, 2)
        return scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)


class SourceVector(nn.Module):
    """A source as one vector, for models that add it to their token embeddings.

    Args:
        spec: the token ids.
        layer: class of the recurrent layers.
        size: of the vector.
    """

    def __init__(self, spec: TokenSpec, layer: Callable[..., nn.RNNBase], size: int):
        super().__init__()
        self.encoder = RecurrentEncoder(spec, layer, size, size, 0.0)

    def forward(self, source: Tensor, lengths: Tensor) -> Any:
        """Means [B, E] of the encoder's outputs."""
        found = self.encoder(source, lengths)
        mask = inside(lengths, source.shape[1])[..., None]
        return found.masked_fill(~mask, 0.0).sum(1) / lengths[:, None].clamp(min=1)
