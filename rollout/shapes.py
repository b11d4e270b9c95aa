"""Checks of tensor shapes, so that a wrong one is an error and never a silent broadcast."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["check_rank", "check_rows", "check_tokens"]


def check_rank(rank: int, **tensors: Tensor) -> None:
    """Raises unless every tensor has `rank` dimensions.

    Args:
        rank: number of dimensions.
        **tensors: each under the name that the error shows.

    Raises:
        ValueError: a tensor has another number of dimensions.
    """
    for name, tensor in tensors.items():
        if tensor.ndim != rank:
            raise ValueError(f"{name} must have {rank} dimensions, got {_shown(tensor)}")


def check_tokens(mask: Tensor, **tensors: Tensor) -> None:
    """Raises unless `mask` is bool [B, T] and every tensor is [B, T] as well.

    Args:
        mask: bool [B, T], True at the tokens of a sequence.
        **tensors: each under the name that the error shows.

    Raises:
        ValueError: another shape, or a mask that is not bool.
    """
    if mask.ndim != 2 or mask.dtype != torch.bool:
        raise ValueError(f"mask must be bool [B, T], got {mask.dtype} {_shown(mask)}")
    for name, tensor in tensors.items():
        if tensor.shape != mask.shape:
            raise ValueError(
                f"{name} must be {_shown(mask)}, one number per token like mask, "
                f"got {_shown(tensor)}"
            )


def check_rows(count: int, **tensors: Tensor) -> None:
    """Raises unless every tensor holds `count` numbers, [count].

    Args:
        count: B, the number of sequences.
        **tensors: each under the name that the error shows.

    Raises:
        ValueError: another shape.
    """
    for name, tensor in tensors.items():
        if tensor.shape != (count,):
            raise ValueError(
                f"{name} must be [{count}], one number per sequence, got {_shown(tensor)}"
            )


def _shown(tensor: Tensor) -> str:
    return str(list(tensor.shape))
