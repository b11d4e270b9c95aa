"""The share of the numbers in (0, 1) that each outcome of an inverse CDF gets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rollout import Sampler


def interval_masses(draw: Callable[[Tensor], Tensor], size: int, steps: int = 46) -> Tensor:
    """The measure, float64 [size], of the numbers that are mapped to each outcome.

    Outcomes must not fall as the number rises. Their upper edges are bisected, all at once.

    Args:
        draw: maps numbers, float64 [size], to outcomes 0 .. size - 1.
        size: number of outcomes.
        steps: bisections; a measure is exact to 2^-steps.
    """
    outcomes = torch.arange(size)
    low, high = torch.zeros(2, size, dtype=torch.float64)
    high += 1
    for _ in range(steps):
        middle = (low + high) / 2
        above = draw(middle) > outcomes
        high, low = torch.where(above, middle, high), torch.where(above, low, middle)
    return high.diff(prepend=high.new_zeros(1))


def token_masses(sampler: Sampler, logits: Tensor, steps: int = 46) -> Tensor:
    """The measure, float64 [V], of the numbers for which `sampler` draws each token.

    Args:
        sampler: how tokens are drawn.
        logits: [V].
        steps: as in `interval_masses`.
    """
    _, ids = sampler.probabilities(logits[None])
    order = torch.arange(len(logits)) if ids is None else ids[0]  # of the cumulative sum
    places = torch.empty(len(logits), dtype=torch.int64)
    places[order] = torch.arange(len(order))

    def draw(numbers: Tensor) -> Tensor:
        return places[sampler.sample(logits[None], numbers[None])[0]]

    masses = torch.zeros(len(logits), dtype=torch.float64)
    masses[order] = interval_masses(draw, len(order), steps)
    return masses
