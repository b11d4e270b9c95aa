"""CUDA graphs: work of one shape is recorded once, and launched as a whole ever after.

A step of a small model is hundreds of kernels of microseconds, and the host takes longer to launch
them than the device to run them. A CUDA graph launches them together. It has its price: a graph
reads and writes the same memory every time, so inputs are copied into it and outputs out of it;
numbers of Python's are those of the recording; and whatever makes the host wait, reads from it or
draws random numbers there is refused (`tests/capture.py` is a double of those rules).

How much it gains has not yet been measured; ``make gpu`` measures it: it times the steps of a run
operation by operation, and as graphs (`benchmarks/speed/`).
"""

from __future__ import annotations

import dataclasses
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .devices import is_out_of_memory

__all__ = ["CudaGraph", "Graphs", "can_record", "records_on"]

_WARM = 2
"""Calls of a shape before it is recorded: libraries allocate their memory, kernels are compiled."""
_DEVICES = ("cuda",)


def can_record(graphs: Graphs | None, device: torch.device, function: Callable[..., Any]) -> bool:
    """Tells if there are recordings, a device that has graphs, and memory for a function's."""
    return graphs is not None and graphs.holds(function) and records_on(device)


def records_on(device: torch.device) -> bool:
    """Tells if a device has graphs."""
    return device.type in _DEVICES


class CudaGraph:
    """One recording.

    Args:
        pool: memory that all recordings of one owner share.
        stream: where it is recorded.
    """

    def __init__(self, pool: Any, stream: Any):
        self.graph, self.pool, self.stream = torch.cuda.CUDAGraph(), pool, stream

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Records the work within, which is not done.

        After an error the stream and the random numbers of the device are as they were: torch
        leaves the stream of the recording, and a generator that still takes itself for recorded
        and refuses further numbers (the first dropout of a step without a graph).
        """
        stream, device = torch.cuda.current_stream(), torch.cuda.current_device()
        generator = torch.cuda.default_generators[device]
        numbers = generator.clone_state()
        try:
            with torch.cuda.graph(self.graph, pool=self.pool, stream=self.stream):
                yield
        except BaseException:
            torch.cuda.set_stream(stream)
            self.graph.reset()
            generator.graphsafe_set_state(numbers)
            raise

    def replay(self) -> None:
        """Does it."""
        self.graph.replay()


class _Shape(NamedTuple):
    """A tensor of a tree, without its values."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


class _Node(NamedTuple):
    """A dataclass, mapping, list or tuple of a tree, with the names of its parts."""

    kind: Any
    names: tuple[Any, ...]
    parts: tuple[Hashable, ...]


class _Recorded:
    """A function that was recorded with inputs of one shape."""

    def __init__(self, graph: CudaGraph, function: Callable[..., Any], inputs: Any):
        tensors: list[Tensor] = []
        structure = _taken(inputs, tensors)
        self.graph = graph
        self.inputs = [each.detach().clone() for each in tensors]
        self.outputs: list[Tensor] = []
        # Objects of their own: what others have kept in theirs was computed before the recording.
        arguments = _rebuilt(structure, iter(self.inputs))
        with graph.recording():
            self.structure = _taken(function(*arguments), self.outputs)

    def __call__(self, tensors: list[Tensor]) -> Any:
        torch._foreach_copy_(self.inputs, tensors)
        self.graph.replay()
        return _rebuilt(self.structure, iter([each.detach().clone() for each in self.outputs]))


class Graphs:
    """Recordings of functions, one for each shape of their inputs.

    Args:
        limit: recordings at most; inputs of further shapes are worked on without one.
        on_failure: called with one line if something cannot be recorded; from then on nothing is.
            If it is memory that a recording lacks, inputs of that shape alone are worked on
            without one. By default it warns.

    Attributes:
        failed: tells if something could not be recorded.
        replays: launches of recordings so far, by function.
    """

    def __init__(self, limit: int = 16, on_failure: Callable[[str], None] | None = None):
        self.limit, self.on_failure = limit, on_failure or _warn
        self.failed = False
        self.replays: Counter[Hashable] = Counter()
        self._too_large: set[tuple[Callable[..., Any], Hashable]] = set()
        _everyone.add(self)
        self._calls: dict[Hashable, int] = {}
        self._recorded: dict[Hashable, _Recorded] = {}
        self._pool: Any = None
        self._stream: Any = None

    def holds(self, function: Callable[..., Any]) -> bool:
        """Tells if nothing failed, and memory was enough for all recordings of a function."""
        return not self.failed and all(of is not function for of, _ in self._too_large)

    def clear(self) -> None:
        """Forgets all recordings: where memory that they use was put in another place."""
        self._calls.clear()
        self._recorded.clear()

    def run(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """``function(*inputs)``, by a recording if there is one.

        Args:
            function: depends on nothing but `inputs` and on tensors that stay in their place. It
                must be equal from call to call, as methods and functions are.
            inputs: trees (dataclasses, mappings, lists, tuples) of tensors without gradients and
                of hashable values; other values are other shapes.

        Returns:
            A tree of tensors that are the caller's own, without gradients from a recording.
        """
        tensors: list[Tensor] = []
        structure = _taken(inputs, tensors)
        if self.failed or not tensors or not records_on(tensors[0].device):
            return function(*inputs)
        key = (function, structure)
        if key in self._too_large:
            return function(*inputs)
        if key not in self._recorded:
            self._calls[key] = self._calls.get(key, 0) + 1
            full = len(self._recorded) >= self.limit
            if self._calls[key] <= _WARM:
                with self._beside():
                    return function(*inputs)
            if full or not self._record(key, function, inputs):
                return function(*inputs)
        self.replays[function] += 1
        return self._recorded[key](tensors)

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """Work on the stream of the recordings, so that libraries are ready for it."""
        if not torch.cuda.is_available():
            yield
            return
        if self._stream is None:
            self._stream, self._pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()
        self._stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:  # after an error too: memory may have run out, and less is tried next
            torch.cuda.current_stream().wait_stream(self._stream)

    def _record(
        self, key: tuple[Callable[..., Any], Hashable], function: Callable[..., Any], inputs: Any
    ) -> bool:
        try:
            graph = CudaGraph(self._pool, self._stream)
            self._recorded[key] = _Recorded(graph, function, inputs)
        except Exception as error:  # of CUDA, cuDNN, Triton or of a rule that was broken
            # The device's random numbers are other ones now than those of all recordings.
            for graphs in [*_everyone]:
                graphs.clear()
            if any(is_out_of_memory(each) for each in _causes(error)):
                return self._go_without(key)
            self.failed = True
            # What broke the recording comes first; that it is broken is torch's last word.
            lines = str(_causes(error)[-1]).strip().splitlines()
            self.on_failure(
                f"no CUDA graph could be recorded ({lines[0] if lines else type(error).__name__}): "
                "continuing without graphs, which is slower"
            )
        return not self.failed

    def _go_without(self, key: tuple[Callable[..., Any], Hashable]) -> bool:
        """Notes a shape whose recording takes more memory than there is; False."""
        if not self._too_large:
            self.on_failure(
                "memory is too small for a CUDA graph of some work: it is done one operation after "
                "another, which is slower"
            )
        self._too_large.add(key)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False


_everyone: weakref.WeakSet[Graphs] = weakref.WeakSet()
"""All recordings there are."""


def _causes(error: BaseException) -> list[BaseException]:
    """An error and those that it came after, the first one last."""
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) is not None:
        found.append(before)
    return found


def _taken(tree: Any, tensors: list[Tensor]) -> Hashable:
    """The structure of a tree, whose tensors are added to `tensors`."""
    if isinstance(tree, Tensor):
        tensors.append(tree)
        return _Shape(tree.shape, tree.dtype, tree.device)
    kind = type(tree)
    if dataclasses.is_dataclass(tree):
        names: tuple[Any, ...] = tuple(each.name for each in dataclasses.fields(tree))
        parts = [getattr(tree, name) for name in names]
    elif isinstance(tree, dict):
        names, parts = tuple(tree), list(tree.values())
    elif isinstance(tree, (list, tuple)):
        names, parts = tuple(range(len(tree))), list(tree)
    else:
        return tree
    return _Node(kind, names, tuple(_taken(each, tensors) for each in parts))


def _rebuilt(structure: Any, tensors: Iterator[Tensor]) -> Any:
    """The tree of a structure, with other tensors."""
    if isinstance(structure, _Shape):
        return next(tensors)
    if not isinstance(structure, _Node):
        return structure
    parts = [_rebuilt(each, tensors) for each in structure.parts]
    if dataclasses.is_dataclass(structure.kind) and callable(structure.kind):
        return structure.kind(**dict(zip(structure.names, parts, strict=True)))
    if issubclass(structure.kind, dict):
        return structure.kind(zip(structure.names, parts, strict=True))
    if hasattr(structure.kind, "_fields"):
        return structure.kind(*parts)
    return structure.kind(parts)


def _warn(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=5)
