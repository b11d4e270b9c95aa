"""Modes and copies of the modules behind policies and discriminators."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import nn

__all__ = ["evaluating", "frozen_copy", "modules_of", "own_copy", "without_dropout"]

M = TypeVar("M", bound=nn.Module)


def modules_of(candidate: object) -> list[nn.Module]:
    """All modules of a candidate, also where it wraps another policy."""
    if isinstance(candidate, nn.Module):
        return list(candidate.modules())
    inner = getattr(candidate, "policy", None)
    return [] if inner is None else modules_of(inner)


@contextmanager
def evaluating(*candidates: object) -> Iterator[None]:
    """Puts the modules of the candidates in evaluation mode; all modes are restored after.

    For work without gradients. See `without_dropout` for work with them.
    """
    modules = [m for c in candidates for m in modules_of(c) if m.training]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module in modules:
            module.training = True


@contextmanager
def without_dropout(*candidates: object) -> Iterator[None]:
    """Switches dropout off for work with gradients; everything is restored after.

    cuDNN refuses the backward pass of an RNN that ran in evaluation mode. So RNN layers are put in
    training mode with their own dropout at 0, and all other modules in evaluation mode. The
    outputs are those of evaluation mode, and have gradients on every device.

    Args:
        candidates: modules, or policies that wrap one.
    """
    modes = [(m, m.training) for c in candidates for m in modules_of(c)]
    layers = [(m, m.dropout) for m, _ in modes if isinstance(m, nn.RNNBase)]
    for module, _ in modes:
        module.training = False
    for layer, _ in layers:
        layer.training, layer.dropout = True, 0.0
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for layer, dropout in layers:
            layer.dropout = dropout


def own_copy(module: M) -> M:
    """A deep copy of a module: training one does not change the other.

    A module may share with its copies what is never trained (``__deepcopy__``), as adapters share
    the model that they adapt.
    """
    copied = copy.deepcopy(module)
    for part in copied.modules():
        if isinstance(part, nn.RNNBase):
            # The copies of its weights lie apart, and cuDNN would gather them at every call.
            part.flatten_parameters()
    return copied


def frozen_copy(module: M) -> M:
    """A deep copy of a module as it is now: in evaluation mode, without gradients."""
    return own_copy(module).eval().requires_grad_(False)
