"""What the engine has to know of devices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["autocast", "reading_waits"]

_FREE_TO_READ = ("cpu",)


def reading_waits(device: torch.device) -> bool:
    """Whether reading a value from `device` makes the host wait for work that is under way.

    On a CPU it does not, so there a look at the data may save work. Everywhere else (a GPU, or
    torch's `meta` device, where there is nothing to read) hot loops must do without.
    """
    return device.type not in _FREE_TO_READ


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Products in `dtype` where the device has mixed precision; None: as they are."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, dtype, enabled=dtype is not None)
