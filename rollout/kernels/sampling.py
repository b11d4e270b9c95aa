"""The output layer and sampling in one: tokens from features, without the logits in memory.

Exact inverse CDF, on two levels as in `rollout.sampling`:

1. `_tile_sums`, a program for each block of rows and each tile of 128 tokens: the tile's largest
   logit, and the sum of its weights ``exp((logit - largest) / temperature)``, in float32.
2. `_pick`, a program for each draw: a search among the tiles, then the logits of the tile that was
   found, computed again, and a search among them. What is added up along a row is float64, for the
   reason given there.

For R rows, V tokens and H features it writes 2 R V / 128 numbers in the place of R V.

Shapes: R rows, H features, V vocabulary, N draws per row, K tiles.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["sample"]

_ROWS, _TILE = 64, 128
"""Rows and tokens of one program of `_tile_sums`."""
_FEATURES = 32
"""Features multiplied at once."""


def sample(
    features: Tensor, weight: Tensor, bias: Tensor, uniforms: Tensor, temperature: float = 1.0
) -> Tensor:
    """Tokens drawn from ``softmax((features @ weight.T + bias) / temperature)``.

    Products of float32 are exact, or of TF32 where torch's own are
    (`torch.get_float32_matmul_precision` is not "highest"); sums are float32 in any case. Nothing
    makes the host wait, and a CUDA graph can capture it.

    Args:
        features: float32 or bfloat16 [R, H].
        weight: [V, H], of the same type.
        bias: float32 [V]; -inf for a token that cannot be drawn, finite for one at least.
        uniforms: numbers in (0, 1), float64: [R], or [R, N] for N draws per row.
        temperature: above 0; its inverse must lie within float32.

    Returns:
        int64 tokens, of the shape of `uniforms`; never one that cannot be drawn.
    """
    (rows, size), vocabulary = features.shape, weight.shape[0]
    numbers = (uniforms if uniforms.ndim == 2 else uniforms[:, None]).contiguous()
    drawn = torch.empty(numbers.shape, dtype=torch.int64, device=features.device)
    if numbers.numel() == 0:
        return drawn.view(uniforms.shape)
    features, weight, bias = features.contiguous(), weight.contiguous(), bias.contiguous()
    tiles = triton.cdiv(vocabulary, _TILE)
    largest = torch.empty(rows, tiles, dtype=torch.float32, device=features.device)
    sums = torch.empty_like(largest)
    exact = torch.get_float32_matmul_precision() == "highest"
    # Triton's interpreter takes numbers of bfloat16 in a product for whole ones.
    interpreted = not isinstance(_tile_sums, triton.JITFunction)
    _tile_sums[(triton.cdiv(rows, _ROWS), tiles)](
        features, weight, bias, largest, sums, rows, vocabulary, tiles, 1 / temperature,
        H=size, BLOCK_R=_ROWS, BLOCK_V=_TILE, BLOCK_H=_FEATURES,
        PRECISION="ieee" if exact else "tf32", WIDE=interpreted,
    )  # fmt: skip
    _pick[tuple(numbers.shape)](
        features, weight, bias, largest, sums, numbers, drawn, vocabulary, tiles,
        numbers.shape[1], 1 / temperature, H=size, BLOCK_V=_TILE, BLOCK_H=_FEATURES,
        TILES=triton.next_power_of_2(tiles),
    )  # fmt: skip
    return drawn.view(uniforms.shape)


@triton.jit
def _tile_sums(
    features, weight, bias, largest, sums, rows, vocabulary, tiles, scale,
    H: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_H: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Largest logit and sum of weights of one tile, for BLOCK_R rows."""
    row = (tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)).to(tl.int64)
    token = tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    here, there = row < rows, token < vocabulary
    logits = tl.zeros((BLOCK_R, BLOCK_V), dtype=tl.float32)
    for start in range(0, H, BLOCK_H):
        unit = start + tl.arange(0, BLOCK_H)
        inside = unit < H
        ours = here[:, None] & inside[None, :]
        a = tl.load(features + row[:, None] * H + unit[None, :], mask=ours, other=0.0)
        theirs = inside[:, None] & there[None, :]
        place = token.to(tl.int64)[None, :] * H + unit[:, None]
        b = tl.load(weight + place, mask=theirs, other=0.0)
        if WIDE:
            a, b = a.to(tl.float32), b.to(tl.float32)
        logits += tl.dot(a, b, input_precision=PRECISION)
    logits += tl.load(bias + token, mask=there, other=-float("inf"))[None, :]
    top = tl.max(logits, 1)
    # A tile without a token that can be drawn has a sum of 0, not of NaN.
    base = tl.where(top == -float("inf"), 0.0, top)
    total = tl.sum(tl.exp((logits - base[:, None]) * scale), 1)
    place = row * tiles + tl.program_id(1)
    tl.store(largest + place, top, mask=here)
    tl.store(sums + place, total, mask=here)


@triton.jit
def _pick(
    features, weight, bias, largest, sums, uniforms, drawn, vocabulary, tiles, draws, scale,
    H: tl.constexpr, BLOCK_V: tl.constexpr, BLOCK_H: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """The token of one draw."""
    row = tl.program_id(0).to(tl.int64)
    number = row * draws + tl.program_id(1)
    tile = tl.arange(0, TILES)
    top = tl.load(largest + row * tiles + tile, mask=tile < tiles, other=-float("inf"))
    total = tl.load(sums + row * tiles + tile, mask=tile < tiles, other=0.0)
    most = tl.max(top, 0)
    mass = total.to(tl.float64) * tl.exp((top - most) * scale).to(tl.float64)
    mass = tl.where(total > 0.0, mass, 0.0)
    until = tl.cumsum(mass, 0)
    target = tl.load(uniforms + number) * tl.max(until, 0)
    # The first place beyond the target that has mass. Rounding may leave none: then the last one.
    beyond = (until > target) & (mass > 0.0)
    last = tl.max(tl.where(mass > 0.0, tile, 0), 0)
    chosen = tl.min(tl.where(beyond, tile, last), 0)
    before = tl.max(tl.where(tile < chosen, until, 0.0), 0)
    share = (target - before) / tl.sum(tl.where(tile == chosen, mass, 0.0), 0)

    token = chosen * BLOCK_V + tl.arange(0, BLOCK_V)
    there = token < vocabulary
    logits = tl.load(bias + token, mask=there, other=-float("inf"))
    for start in range(0, H, BLOCK_H):
        unit = start + tl.arange(0, BLOCK_H)
        inside = unit < H
        ours = tl.load(features + row * H + unit, mask=inside, other=0.0).to(tl.float32)
        place = token.to(tl.int64)[:, None] * H + unit[None, :]
        theirs = tl.load(weight + place, mask=there[:, None] & inside[None, :], other=0.0)
        logits += tl.sum(theirs.to(tl.float32) * ours[None, :], 1)
    inner = tl.exp((logits - tl.max(logits, 0)) * scale).to(tl.float64)
    within = tl.cumsum(inner, 0)
    # As a share of the tile, whose float32 sum need not be its cumulative sum's last one.
    rest = share * tl.max(within, 0)
    beyond = (within > rest) & (inner > 0.0)
    last = tl.max(tl.where(inner > 0.0, token, chosen * BLOCK_V), 0)
    tl.store(drawn + number, tl.min(tl.where(beyond, token, last), 0).to(tl.int64))
