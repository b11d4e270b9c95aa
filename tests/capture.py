"""Doubles of a CUDA graph and of what its recording refuses, for machines without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from .synchronisation import NoReading

FROM_PYTHON = ("tensor", "as_tensor", "from_numpy")


class _NoHostData(TorchFunctionMode):
    """Refuses tensors made of numbers of Python's: they lie in pageable memory of the host."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in FROM_PYTHON and not (args and isinstance(args[0], Tensor)):
            raise AssertionError(f"torch.{name} copies from pageable memory of the host")
        return func(*args, **kwargs)


class NoCapture(NoReading):
    """Raises on what the recording of a CUDA graph refuses: see `NoReading`, and

    * copies from the host's memory, also of indices and of numbers of Python's,
    * random numbers of a generator on the host,
    * new streams.

    Args:
        device: "meta" stands for a GPU, and what lies on the CPU for the host; with "cpu" the CPU
            is treated like a GPU, and copies from the host show only where they are made of
            numbers of Python's.
    """

    def __init__(self, device: str = "cpu"):
        super().__init__()
        self.device = device
        self.host_data = _NoHostData()
        self.streams = patch("torch.cuda.Stream", side_effect=AssertionError("a new stream"))

    def __enter__(self):
        self.host_data.__enter__()
        self.streams.start()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.streams.stop()
        self.host_data.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if isinstance(kwargs.get("generator"), torch.Generator):
            raise AssertionError(f"{name} draws from a generator of the host")
        if self.device != "cpu":
            tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            target = torch.device(kwargs.get("device") or "cpu").type
            ours = [each for each in tensors if each.device.type == self.device]
            theirs = [each for each in tensors if each.device.type == "cpu"]
            if theirs and (ours or (name == "_to_copy" and target == self.device)):
                raise AssertionError(f"{name} copies from the host")
        return super().__torch_dispatch__(func, types, args, kwargs)


class RecordedGraph(NoCapture):
    """A double of `rollout.graphs.CudaGraph` on the CPU.

    It notes the operations within `recording`, and afterwards undoes what they did to memory that
    was there before: nothing has happened. `replay` does them again on the same tensors. So numbers
    of Python's and objects that were made before the recording stay as they were, as on a GPU.
    """

    made = 0
    """Recordings so far."""
    replays = 0

    def __init__(self, pool: object = None, stream: object = None):
        super().__init__()
        type(self).made += 1
        self.calls: list = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        self.before: dict[int, tuple[Tensor, Tensor]] = {}
        self.own: set[int] = set()
        state = torch.get_rng_state()
        with self:
            yield
        for tensor, value in self.before.values():
            tensor.copy_(value)
        torch.set_rng_state(state)

    @torch.no_grad()
    def replay(self) -> None:
        type(self).replays += 1
        for func, args, kwargs, outputs in self.calls:
            for new, old in zip(tree_leaves(func(*args, **kwargs)), outputs, strict=True):
                if isinstance(new, Tensor) and new.data_ptr() != old.data_ptr():
                    old.copy_(new)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for place, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = args[place] if place < len(args) else kwargs.get(argument.name)
                self._keep(given)
        result = super().__torch_dispatch__(func, types, args, kwargs)
        # Detached twins that share the memory: the originals may be given away by autograd.
        outputs = [e.detach() if isinstance(e, Tensor) else e for e in tree_leaves(result)]
        given = {_place(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        self.own |= {_place(each) for each in outputs if isinstance(each, Tensor)} - given
        share = lambda each: each.detach() if isinstance(each, Tensor) else each  # noqa: E731
        self.calls.append((func, *tree_map(share, (args, kwargs)), outputs))
        return result

    def _keep(self, written: object) -> None:
        for tensor in tree_leaves(written):
            if isinstance(tensor, Tensor) and _place(tensor) not in self.own | {*self.before}:
                self.before[_place(tensor)] = (tensor.detach(), tensor.detach().clone())


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def use_recorded_graphs(patch: pytest.MonkeyPatch) -> type[RecordedGraph]:
    """Puts the double in the place of CUDA graphs, on CPUs that are treated like GPUs."""
    patch.setattr("rollout.devices._FREE_TO_READ", ())
    # oneDNN's LSTM keeps what its backward pass needs where no replay reaches it.
    patch.setattr(torch.backends.mkldnn, "enabled", False)
    patch.setattr("rollout.graphs._DEVICES", ("cpu",))
    patch.setattr("rollout.graphs.CudaGraph", RecordedGraph)
    patch.setattr(RecordedGraph, "made", 0)
    patch.setattr(RecordedGraph, "replays", 0)
    return RecordedGraph
