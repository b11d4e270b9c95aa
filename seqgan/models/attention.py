"""The Transformer's layer: pre-norm, rotary positions, scaled dot-product attention.

Shapes: B sequences, T tokens, R rows in flight, E width, H heads, D units of a head (E / H).
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from .cache import Cache

__all__ = ["Block", "Turn", "initialise", "turn_at", "turned"]

Turn: TypeAlias = tuple[Tensor, Tensor]
"""Cosines and signed sines of the angles of positions, [..., 1, D]; see `turned`."""


Memory: TypeAlias = tuple[Tensor, Tensor]
"""A layer's keys and values [B, S, 2 E] of an encoder's outputs, and where they count, [B, S]."""


def turn_at(positions: Tensor, units: int, like: Tensor) -> Turn:
    """The rotations of rotary positions: pair i turns by ``p 10000^(-2 i / D)`` radians.

    Source: Su et al. 2021 (RoFormer), equation 15.

    Args:
        positions: [...], from 0.
        units: D.
        like: a tensor of the device and type that is wanted.
    """
    pairs = torch.arange(0, units, 2, device=like.device, dtype=torch.float32)
    angles = positions.to(like.device, torch.float32)[..., None, None] * 10_000 ** (-pairs / units)
    cosine, sine = angles.cos(), angles.sin()
    turn = torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1)
    return turn[0].to(like.dtype), turn[1].to(like.dtype)


def turned(units: Tensor, turn: Turn) -> Tensor:
    """`units` [..., H, D] with pair i, the units i and i + D / 2, rotated."""
    cosine, sine = turn
    one, other = units.chunk(2, dim=-1)
    return torch.addcmul(units * cosine, torch.cat([other, one], dim=-1), sine)


class Block(nn.Module):
    """A layer: attention, then two linear layers, each added to what it was given.

    Dropout falls on what is added. There is none on the attention weights, which the fast kernels
    lack on a CPU.

    Args:
        width: E.
        heads: H.
        dropout: probability.
        across: attention to the outputs of an encoder [B, S, E] comes between.
    """

    def __init__(self, width: int, heads: int, dropout: float, across: bool = False):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.hidden_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * width, bias=False)
        self.mixed = nn.Linear(width, width, bias=False)
        self.hidden = nn.Linear(width, 4 * width, bias=False)
        self.output = nn.Linear(4 * width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        if across:
            self.across_norm = nn.LayerNorm(width)
            self.asked = nn.Linear(width, width, bias=False)
            self.remembered = nn.Linear(width, 2 * width, bias=False)
            self.found = nn.Linear(width, width, bias=False)

    def memory(self, encoded: Tensor) -> Tensor:
        """Keys and values [B, S, 2 E] of an encoder's outputs [B, S, E]."""
        keys: Tensor = self.remembered(encoded)
        return keys

    def forward(
        self, inputs: Tensor, turn: Turn, mask: Tensor | None, memory: Memory | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """All positions at once.

        Args:
            inputs: [B, T, E].
            turn: rotations of the positions, [T, 1, D].
            mask: bool, True where a position may be looked at, to broadcast to [B, H, T, T];
                None: each looks at itself and those before it.
            memory: of the encoder.

        Returns:
            The outputs [B, T, E]; keys and values, each [B, H, T, D].
        """
        query, key, value = (each.transpose(1, 2) for each in self._projected(inputs, turn))
        mixed = scaled_dot_product_attention(query, key, value, mask, is_causal=mask is None)
        outputs = self._finished(inputs, mixed.transpose(1, 2), memory)
        return outputs, (key, value)

    def weights(self, inputs: Tensor, turn: Turn, mask: Tensor | None) -> Tensor:
        """The attention weights [B, H, T, T] of `forward` for the same arguments."""
        query, key, _ = (each.transpose(1, 2) for each in self._projected(inputs, turn))
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is None:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        return scores.masked_fill(~mask, -torch.inf).softmax(-1)

    def source_weights(self, inputs: Tensor, turn: Turn, memory: Tensor, mask: Tensor) -> Tensor:
        """The weights [B, H, T, S] of the attention to an encoder's outputs, without dropout.

        Args:
            inputs: [B, T, E]; each position has looked at itself and those before it.
            turn: rotations of the positions.
            memory: keys and values [B, S, 2 E].
            mask: [B, S], True within a source.
        """
        query, key, value = (each.transpose(1, 2) for each in self._projected(inputs, turn))
        mixed = scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)
        asked, key, _ = self._asked(inputs + self.mixed(mixed.flatten(-2)), memory)
        scores = asked @ key.mT / asked.shape[-1] ** 0.5
        return scores.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)

    def advance(
        self, inputs: Tensor, turn: Turn, cache: Cache, layer: int, memory: Memory | None = None
    ) -> Tensor:
        """One more position of every row in flight.

        Args:
            inputs: [R, E].
            turn: rotations of the rows' positions, [R, 1, D].
            cache: takes the keys and values of the new position.
            layer: number of this layer in the cache.
            memory: of the encoder, for the R rows.

        Returns:
            The outputs [R, E].
        """
        query, key, value = self._projected(inputs, turn)
        mixed = cache.attend(layer, query, key, value)
        if memory is None:
            return self._finished(inputs, mixed)
        return self._finished(inputs[:, None], mixed[:, None], memory)[:, 0]

    def _projected(self, inputs: Tensor, turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [..., H, D] of `inputs` [..., E]."""
        units = self.inputs(self.attention_norm(inputs)).unflatten(-1, (3, self.heads, -1))
        both, value = units.split([2, 1], dim=-3)
        query, key = turned(both, (turn[0][..., None, :, :], turn[1][..., None, :, :])).unbind(-3)
        return query, key, value.squeeze(-3)

    def _finished(self, inputs: Tensor, mixed: Tensor, memory: Memory | None = None) -> Tensor:
        """The layer's outputs [..., E], from the values [..., H, D] that attention has mixed."""
        middle = inputs + self.dropout(self.mixed(mixed.flatten(-2)))
        if memory is not None:
            middle = middle + self.dropout(self._across(middle, *memory))
        hidden = gelu(self.hidden(self.hidden_norm(middle)))
        return middle + self.dropout(self.output(hidden))

    def _across(self, middle: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Findings of positions [B, T, E] in the memory [B, S, 2 E], where `mask` [B, S]."""
        query, key, value = self._asked(middle, memory)
        mixed = scaled_dot_product_attention(query, key, value, mask[:, None, None])
        found: Tensor = self.found(mixed.transpose(1, 2).flatten(-2))
        return found

    def _asked(self, middle: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, H, T, D] of positions [B, T, E]; keys and values [B, H, S, D] of a memory."""
        query = self.asked(self.across_norm(middle)).unflatten(-1, (self.heads, -1))
        key, value = memory.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return query.transpose(1, 2), key, value


def initialise(model: nn.Module, width: int, layers: int) -> None:
    """Draws the weights of linear layers and embeddings from N(0, s), s = 0.25 / sqrt(E).

    That is 0.022 at a width of 128 and 0.009 at 768, where GPT-2 has 0.02 at every width. As there,
    the weights of what a layer adds are divided by the square root of the number of sums, two or
    three per layer (Radford et al. 2019, section 2.3).
    """
    scale = 0.25 * width**-0.5
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=scale)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Block):
            across = hasattr(module, "found")
            smaller = ((3 if across else 2) * layers) ** -0.5
            for added in (module.mixed, module.output):
                nn.init.normal_(added.weight, std=scale * smaller)
            if across:  # drawn above
                with torch.no_grad():
                    module.found.weight.mul_(smaller)
