"""How much to work on at once, and what to do where that was too much."""

from __future__ import annotations

import warnings
from functools import cache

import torch

__all__ = ["CACHE_BYTES", "is_out_of_memory", "keep_freed_memory", "warn_of_smaller_chunks"]

CACHE_BYTES = 10 << 20
"""For one of the two or three arrays of logits and weights that a step on a CPU reads and writes.

They have to share the last cache, 16 to 32 MB on most of today's processors. Smaller pieces spend
their time on calls of operations, larger ones on memory; around this size it hardly matters.
"""


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
    """Whether an error says that memory is used up: a GPU's, or that of the host."""
    # torch's allocator for the host raises a bare RuntimeError.
    of_host = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or of_host


def warn_of_smaller_chunks(chunk_size: int) -> None:
    """What follows on too little memory, unless the caller of `action_values` takes care of it."""
    warnings.warn(
        f"out of memory in rollouts: going on with {chunk_size} completions at once (chunk_size)",
        RuntimeWarning,
        stacklevel=4,
    )
