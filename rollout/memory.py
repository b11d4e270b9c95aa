"""Running out of memory, and going on with less at once."""

from __future__ import annotations

import warnings

import torch

__all__ = ["is_out_of_memory", "warn_of_smaller_chunks"]


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
