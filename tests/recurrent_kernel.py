"""A double of cuDNN's RNN kernels for machines without one: it refuses what they refuse.

cuDNN keeps what the backward pass of an RNN needs in training mode alone, and has no second
derivative. PyTorch's own kernels, which take over where cuDNN is switched off, can do both. Weights
that lie apart, as a copy's do, are gathered at every call, with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

KERNELS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
EVALUATION = "cudnn RNN backward can only be called in training mode"
APART = "RNN module weights are not part of single contiguous chunk of memory"
SECOND = "the derivative for '_cudnn_rnn_backward' is not implemented"


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, training: bool, *outputs: Tensor) -> tuple[Tensor, ...]:
        ctx.training = training
        return tuple(output.clone() for output in outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.training:
            raise RuntimeError(EVALUATION)
        if torch.is_grad_enabled():  # with create_graph=True
            raise RuntimeError(SECOND)
        return None, *gradients


class Calls(list):
    """The modes and dropout probabilities that the kernels were called with.

    Attributes:
        together: addresses of the weights of each layer that were put together.
    """

    def __init__(self) -> None:
        super().__init__()
        self.together: set[tuple[int, ...]] = set()

    def double(self, kernel: Callable[..., tuple[Tensor, ...]]) -> Callable[..., Any]:
        """A kernel that behaves as cuDNN's does."""

        def called(*arguments: Any) -> tuple[Tensor, ...]:
            second = arguments[1]
            packed = isinstance(second, Tensor) and second.dtype == torch.int64  # batch sizes
            dropout, training = arguments[-3:-1] if packed else arguments[-4:-2]
            outputs = kernel(*arguments)
            if not torch.backends.cudnn.enabled:
                return outputs
            weights = next(each for each in arguments if isinstance(each, list))
            if _addresses(weights) not in self.together:
                warnings.warn(APART, stacklevel=2)
            self.append((training, dropout))
            return _Kernel.apply(training, *outputs)

        return called


def _addresses(weights: list[Tensor]) -> tuple[int, ...]:
    return tuple(weight.data_ptr() for weight in weights)


def use_double(patch: pytest.MonkeyPatch) -> Calls:
    """Puts the double in the place of all RNN kernels, for layers that are made from now on."""
    calls = Calls()
    flatten = nn.RNNBase.flatten_parameters

    def noted(self: nn.RNNBase) -> None:
        flatten(self)
        calls.together.add(_addresses(self._flat_weights))

    patch.setattr(nn.RNNBase, "flatten_parameters", noted)
    for name in KERNELS:
        patch.setattr(torch._VF, name, calls.double(getattr(torch._VF, name)))
    return calls
