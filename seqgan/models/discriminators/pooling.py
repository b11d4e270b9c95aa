"""The end of the discriminators that pool their outputs over a sequence.

Shapes: B sequences, T tokens, H outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rollout.devices import autocast

__all__ = ["pooled"]


def pooled(
    states: Tensor, lengths: Tensor, dropout: Callable[[Tensor], Tensor], output: nn.Module
) -> Tensor:
    """Logits [B] from the mean and the maximum of a sequence's outputs.

    Args:
        states: [B, T, H].
        lengths: int64 [B]; what comes after is not read.
        dropout: of the pooled outputs.
        output: the layer from 2 H to 1, in full precision.
    """
    places = torch.arange(states.shape[1], device=lengths.device)
    outside = (places >= lengths[:, None])[..., None]
    states = states.to(torch.promote_types(states.dtype, torch.float32))
    mean = states.masked_fill(outside, 0.0).sum(1) / lengths[:, None].clamp(min=1)
    largest = states.masked_fill(outside, -torch.inf).amax(1)
    with autocast(states.device, None):  # the error of the logit would come from it
        logits: Tensor = output(dropout(torch.cat([mean, largest], dim=1)))
        return logits[:, 0]
