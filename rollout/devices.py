"""Properties of devices that the engine has to know, and their memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

__all__ = [
    "CACHE_BYTES",
    "autocast",
    "chunk_numbers",
    "exact_device",
    "exact_dtype",
    "is_out_of_memory",
    "keep_freed_memory",
    "reads_synchronise",
    "warn_of_smaller_chunks",
]

_FREE_TO_READ = ("cpu",)
_WITHOUT_FLOAT64 = ("mps",)


def reads_synchronise(device: torch.device) -> bool:
    """If reading a value from `device` makes the host wait for work that is under way.

    On a CPU it does not, so there a look at the data may save work. Everywhere else (a GPU, or
    torch's `meta` device, where there is nothing to read) hot loops must do without.
    """
    return device.type not in _FREE_TO_READ


def exact_device(device: torch.device) -> torch.device:
    """The device of float64 arithmetic for `device`: the host, if that one has none."""
    return torch.device("cpu") if device.type in _WITHOUT_FLOAT64 else device


def exact_dtype(device: torch.device) -> torch.dtype:
    """float64, or float32 on a device that has none."""
    return torch.float32 if device.type in _WITHOUT_FLOAT64 else torch.float64


@contextmanager
def autocast(device: torch.device, dtype: torch.dtype | None) -> Iterator[None]:
    """Products in `dtype` where the device has mixed precision; None: as they are.

    Args:
        device: where the work is done.
        dtype: float16, bfloat16 or None.
    """
    if not torch.amp.is_autocast_available(device.type):
        yield
        return
    onednn = torch.backends.mkldnn
    before = onednn.enabled
    if dtype is not None and device.type == "cpu" and not _has_lstm(dtype):
        onednn.enabled = False  # type: ignore[assignment]
    try:
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            yield
    finally:
        if onednn.enabled != before:
            onednn.enabled = before


def _has_lstm(dtype: torch.dtype) -> bool:
    """If oneDNN runs an LSTM in `dtype` on this CPU; elsewhere it fails instead of stepping back.

    PyTorch's own kernels, which follow where oneDNN is switched off, run it on every CPU.
    """
    if not torch.backends.mkldnn.is_available():
        return True
    name = {torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
    return bool(getattr(torch.ops.mkldnn, f"_is_mkldnn_{name}_supported")())


CACHE_BYTES = 10 << 20
"""For one of the two or three arrays of logits and weights that a step on a CPU reads and writes.

They have to share the last cache, 16 to 32 MB on most of today's processors. Smaller pieces spend
their time on calls of operations, larger ones on memory; around this size it hardly matters.
"""


def chunk_numbers(device: torch.device) -> int:
    """Float32 numbers that work in chunks holds at a time, all its arrays together.

    On a CPU what stays in the cache, elsewhere 256 MB.
    """
    return CACHE_BYTES // 4 if device.type == "cpu" else 1 << 26


@cache
def keep_freed_memory() -> None:
    """Makes the C library keep memory that was freed, to be used again without the system's help.

    A step's logits take some megabytes, are freed, and are asked for again in the next step. By
    default glibc gives such memory back, and fetching it page by page takes a good part of the time
    of the work itself. It raises its limits to (twice) the size of the largest block freed so far,
    up to 32 MB (mallopt(3), M_MMAP_THRESHOLD); so one block that nobody ever writes to does it for
    good. Elsewhere it does nothing.
    """
    torch.empty((32 << 20) - (1 << 16), dtype=torch.uint8)


def is_out_of_memory(error: BaseException) -> bool:
    """If an error says that memory is used up: a GPU's, or that of the host."""
    # torch's allocator for the host raises a bare RuntimeError.
    of_host = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or of_host


def warn_of_smaller_chunks(chunk_size: int) -> None:
    """Warns of too little memory: the default of `action_values`."""
    warnings.warn(
        f"out of memory in rollouts: going on with {chunk_size} completions at once (chunk_size)",
        RuntimeWarning,
        stacklevel=4,
    )
