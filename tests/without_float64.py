"""A dispatch mode in which the `meta` device stands for one that has no float64, as Apple's has."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class WithoutFloat64(TorchDispatchMode):
    """Raises where a float64 tensor lies on `meta`; what comes from there to the host is ones."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        device = kwargs.get("device")
        if name == "_to_copy" and args[0].is_meta and device is not None:
            if torch.device(device).type == "cpu":
                return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        result = func(*args, **kwargs)
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.is_meta:
                assert leaf.dtype != torch.float64, f"{name} makes float64"
        inputs = [leaf for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)]
        places = {leaf.device.type for leaf in inputs if leaf.ndim}
        assert len(places) < 2 or name == "copy_", f"{name} of tensors on {places}"
        return result
