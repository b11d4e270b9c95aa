"""Shapes: what becomes of a term's values before they are weighted.

Shapes: B sequences.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Shape", "shaped"]

_STEEP = 2 * math.log(19)
"""Slope of the sigmoid over the distance of low and high: log(0.95 / 0.05) on either side."""


class Shape(Protocol):
    """Settings of a shape."""

    shape: str
    low: float
    high: float
    centre: tuple[Tensor, Tensor] | None


def shaped(shape: Shape, values: Tensor) -> Tensor:
    """Values in their shape; NaN stays NaN.

    * "clip": to ``low .. high``.
    * "sigmoid": 0.05 at low, 0.5 halfway, 0.95 at high; it falls if low is above high.
    * "step": 1 from low to high, both included, else 0.
    * "standardise": minus the mean, over the spread of the step's samples; 0 where there is none.

    Args:
        shape: which, and its settings.
        values: [B].
    """
    low, high = shape.low, shape.high
    if shape.shape == "clip":
        return values.clamp(low, high)
    if shape.shape == "sigmoid":
        return torch.sigmoid(_STEEP * ((values - low) / (high - low) - 0.5))
    if shape.shape == "step":
        inside = (values >= low) & (values <= high)
        return torch.where(values.isnan(), values, inside.to(values.dtype))
    if shape.shape == "standardise" and shape.centre is not None:
        mean, spread = shape.centre
        # Between equal values there is nothing but rounding, which must not be blown up.
        rounding = 1e-6 * mean.abs()
        return torch.where(spread > rounding, (values - mean) / spread, 0.0 * values)
    return values
