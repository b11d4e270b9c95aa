"""A dispatch mode that fails where the host would have to wait for a device."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READING = {
    "_local_scalar_dense",
    "_unique",
    "_unique2",
    "allclose",
    "bincount",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "nonzero_numpy",
    "unique_consecutive",
    "unique_dim",
    "unique_dim_consecutive",
}


class NoReading(TorchDispatchMode):
    """Raises on operations whose result has to be looked at by the host, or comes to it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)]
        if name in READING:
            raise AssertionError(f"{name} makes the host wait")
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            indices = [index for index in args[1] if index is not None]
            assert all(index.dtype != torch.bool for index in indices), f"{name} by a mask waits"
        if name == "repeat_interleave":
            assert kwargs.get("output_size") is not None, f"{name} without a size waits"
        if name in ("_to_copy", "copy_") and tensors:
            source = tensors[-1].device.type
            target = kwargs.get("device") or (tensors[0].device if name == "copy_" else None)
            if target is not None and source != "cpu":
                assert torch.device(target).type != "cpu", f"{name} to the host waits"
        return func(*args, **kwargs)
