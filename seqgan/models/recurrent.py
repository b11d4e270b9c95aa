"""The recurrent layers of the toolkit's models."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from rollout import without_dropout

__all__ = ["GRU", "LSTM"]


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
