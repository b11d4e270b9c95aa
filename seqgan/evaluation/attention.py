"""Attention weights of explained sequences, as many as a page can hold.

Shapes: T tokens, S tokens of a source.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from rollout import Sequences
from rollout.modules import evaluating

__all__ = ["DETAILS", "Attention", "attention_of", "summary"]

MOST = 16_000
"""Weights of a sequence and a model that are kept: all heads of 4 layers for some 30 tokens."""
SIDE = 120
"""Rows and columns of a map at most."""
DETAILS = {"heads": "every head", "layers": "mean over heads", "all": "mean over layers and heads"}


class Attention(NamedTuple):
    """The weights of a model for one sequence.

    Attributes:
        maps: [layer][head][row][column]; each row sums to 1.
        mean: [row][column], the mean over layers and heads.
        detail: a key of `DETAILS`: over what `maps` are means, to keep them small.
        tokens: tokens that a row stands for, 1 unless the sequence is long.
        looked_at: tokens that a column stands for.
    """

    maps: list[Any]
    mean: list[list[float]]
    detail: str
    tokens: int
    looked_at: int


def attention_of(sequences: Sequences, **models: Any) -> list[dict[str, Attention]]:
    """The attention of each sequence by the models that have it.

    Args:
        sequences: B sequences.
        **models: generator and discriminator; None: there is none.

    Returns:
        For each sequence the weights by the name of the model; attention to a source stands under
        the model's name and " to its source".
    """
    found: list[dict[str, Attention]] = [{} for _ in range(len(sequences))]
    lengths = sequences.lengths.tolist()
    for name, model in models.items():
        if model is None:
            continue
        with torch.no_grad(), evaluating(model):
            own = model.attention_weights(sequences)
            across = model.source_weights(sequences)
        for row, length in enumerate(lengths):
            if own is not None:
                found[row][name] = summary(own[row, :, :, :length, :length])
            if across is not None:
                width = int(sequences.condition["source_length"][row])
                found[row][f"{name} to its source"] = summary(across[row, :, :, :length, :width])
    return found


def summary(weights: Tensor, most: int = MOST) -> Attention:
    """Weights [layers, heads, T, S], or means over them if they are more than `most`."""
    weights = weights.double().cpu()
    rows, columns = (-(-size // SIDE) for size in weights.shape[2:])
    weights = _pooled(_pooled(weights, 2, rows) / rows, 3, columns)
    mean = weights.mean((0, 1), keepdim=True)
    detail, kept = "heads", weights
    if kept.numel() > most:
        detail, kept = "layers", weights.mean(1, keepdim=True)
    if kept.numel() > most:
        detail, kept = "all", mean
    if rows > 1:  # the last block may be of fewer rows
        kept, mean = (each / each.sum(-1, keepdim=True) for each in (kept, mean))
    return Attention(
        kept.round(decimals=4).tolist(),
        mean[0, 0].round(decimals=4).tolist(),
        detail,
        rows,
        columns,
    )


def _pooled(weights: Tensor, side: int, size: int) -> Tensor:
    """Sums over blocks of `size` along a side."""
    if size == 1:
        return weights
    return torch.stack([part.sum(side) for part in weights.split(size, side)], side)
