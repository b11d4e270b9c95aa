"""The state of training as a tree of plain values and tensors, and back.

A state is what `state_dict` gives: mappings, lists, numbers, texts, tensors. `pack` parts it into
tensors, for a safetensors file, and a skeleton that JSON can hold; nothing is pickled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rollout import Sequences

__all__ = [
    "Stateful", "as_state", "fields_of", "from_state", "load_optimizer", "pack", "set_fields",
    "unpack", "weights_for",
]  # fmt: skip

TENSOR, NUMBER, TUPLE, PAIRS = "$tensor", "$number", "$tuple", "$pairs"


class Stateful(Protocol):
    """Whatever has a state: modules, optimizers, the classes of training."""

    def state_dict(self) -> Any:
        """Objects with a state for a checkpoint."""

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Takes up what `state_dict` gave."""


def pack(tree: Any, name: str = "state") -> tuple[dict[str, Tensor], Any]:
    """A tree as tensors by name, and JSON that names them.

    Args:
        tree: mappings with keys of text, whole numbers or tuples of them, lists, tuples, None,
            texts, numbers (infinite ones too) and tensors.
        name: what the names of the tensors begin with.

    Raises:
        TypeError: anything else.
    """
    tensors: dict[str, Tensor] = {}

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            tensors[path] = value.detach().cpu().contiguous().clone()
            return {TENSOR: path}
        if isinstance(value, Mapping):
            inner = [(key, plain(each, f"{path}/{key}")) for key, each in value.items()]
            texts = all(isinstance(key, str) and key[:1] != "$" for key, _ in inner)
            pairs = [[plain(key, path), each] for key, each in inner]
            return dict(inner) if texts else {PAIRS: pairs}
        if isinstance(value, (list, tuple)):
            items = [plain(each, f"{path}/{i}") for i, each in enumerate(value)]
            return items if isinstance(value, list) else {TUPLE: items}
        if isinstance(value, float) and not math.isfinite(value):
            return {NUMBER: str(value)}
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"{path}: a {type(value).__name__} cannot be kept in a checkpoint")

    return tensors, plain(tree, name)


def unpack(skeleton: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The tree that `pack` was given.

    Raises:
        KeyError, TypeError, ValueError: these do not come from `pack`.
    """
    if isinstance(skeleton, list):
        return [unpack(each, tensors) for each in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if TENSOR in skeleton:
        # A copy of its own: the file is mapped into memory, and its tensors are not aligned.
        return tensors[skeleton[TENSOR]].clone()
    if NUMBER in skeleton:
        return float(skeleton[NUMBER])
    if TUPLE in skeleton:
        return tuple(unpack(each, tensors) for each in skeleton[TUPLE])
    if PAIRS in skeleton:
        return {unpack(key, tensors): unpack(each, tensors) for key, each in skeleton[PAIRS]}
    return {key: unpack(value, tensors) for key, value in skeleton.items()}


def fields_of(owner: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The named attributes: counters, numbers, lists of numbers."""
    found = {name: getattr(owner, name) for name in names}
    return {name: list(each) if isinstance(each, list) else each for name, each in found.items()}


def set_fields(owner: Any, names: tuple[str, ...], state: Mapping[str, Any]) -> None:
    """Sets attributes that `fields_of` read.

    Raises:
        KeyError: one is missing.
        TypeError: one is of another kind than the attribute has now.
    """
    for name in names:
        value, kind = state[name], type(getattr(owner, name))
        if type(value) is not kind:
            raise TypeError(f"{name!r} is a {type(value).__name__}, not a {kind.__name__}")
        setattr(owner, name, value)


def as_state(sequences: Sequences) -> dict[str, Any]:
    """Sequences as a state."""
    return {
        "tokens": sequences.tokens, "lengths": sequences.lengths,
        "terminated": sequences.terminated, "condition": sequences.condition,
    }  # fmt: skip


def from_state(state: Mapping[str, Any], device: torch.device) -> Sequences:
    """The sequences that `as_state` made it of."""
    return Sequences(**state).to(device)


def weights_for(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a model as a checkpoint has them, on the model's device.

    Raises:
        ValueError: they are of another model.
    """
    own = model.state_dict()
    if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in weights.items()}:
        raise ValueError(f"weights of another model than this {type(model).__name__}")
    return {name: weights[name].to(tensor.device) for name, tensor in own.items()}


def load_optimizer(optimizer: Any, state: Mapping[str, Any]) -> None:
    """Takes up an optimizer's state.

    Raises:
        KeyError, TypeError, ValueError: it is another optimizer's.
    """
    optimizer.load_state_dict(state)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for name, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor) and value.shape not in (parameter.shape, torch.Size()):
                    raise ValueError(f"{name!r} has the shape of another parameter")
