"""The recurrent layers of the toolkit's models."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from rollout import without_dropout

__all__ = ["GRU", "LSTM", "both_ways"]


class _WithGradients(nn.RNNBase):
    """A recurrent layer that has gradients in evaluation mode too, on every device.

    cuDNN refuses the backward pass of a layer that ran in evaluation mode, so saliency or an own
    loss of a trained model would work on a CPU alone. There are no second derivatives by cuDNN:
    a gradient penalty runs the forward pass within ``torch.backends.cudnn.flags(enabled=False)``.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As torch's layer; dropout is off in evaluation mode."""
        ready = self.training or not torch.is_grad_enabled()
        with nullcontext() if ready else without_dropout(self):
            return super().forward(*args, **kwargs)


class LSTM(_WithGradients, nn.LSTM):
    """As `torch.nn.LSTM`, with gradients in evaluation mode."""


class GRU(_WithGradients, nn.GRU):
    """As `torch.nn.GRU`, with gradients in evaluation mode."""


def both_ways(inputs: Tensor, lengths: Tensor, ahead: nn.Module, back: nn.Module) -> Tensor:
    """Outputs [B, T, 2 H] of two recurrent networks, one from each end of the sequences.

    Args:
        inputs: [B, T, E].
        lengths: int64 [B]; what comes after is not read.
        ahead: reads from the first token on.
        back: reads from the last one back.
    """
    places = torch.arange(inputs.shape[1], device=lengths.device)[None, :]
    # Each sequence is turned around within its own length; the padding stays behind it.
    turned = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
    turned = turned[..., None]
    behind = back(inputs.gather(1, turned.expand_as(inputs)))[0]
    behind = behind.gather(1, turned.expand_as(behind))
    return torch.cat([ahead(inputs)[0], behind], dim=2)
