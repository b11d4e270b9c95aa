"""The end of discriminators: outputs pooled over a sequence, and the layer that gives the logit.

Shapes: B sequences, T tokens, H outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rollout.devices import autocast
from rollout.sequences import inside

__all__ = ["exact_logits", "exact_outputs", "mean_and_maximum"]


def mean_and_maximum(states: Tensor, lengths: Tensor) -> Tensor:
    """The mean and the maximum [B, 2 H] of a sequence's outputs.

    Args:
        states: [B, T, H].
        lengths: int64 [B]; what comes after is not read.
    """
    outside = ~inside(lengths, states.shape[1])[..., None]
    states = states.to(torch.promote_types(states.dtype, torch.float32))
    mean = states.masked_fill(outside, 0.0).sum(1) / lengths[:, None].clamp(min=1)
    largest = states.masked_fill(outside, -torch.inf).amax(1)
    return torch.cat([mean, largest], dim=1)


def exact_logits(features: Tensor, output: nn.Module) -> Tensor:
    """Logits [...] of the last layer, which has one, from features [..., H]; `exact_outputs`."""
    return exact_outputs(features, output)[..., 0]


def exact_outputs(features: Tensor, output: nn.Module) -> Tensor:
    """Outputs [..., N] of the last layer from features [..., H], in full precision.

    In mixed precision most of the error of a logit would come from this layer.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    with autocast(features.device, None):
        outputs: Tensor = output(features)
        return outputs
