"""What the engine has to know of devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["autocast", "exact_device", "reading_waits"]

_FREE_TO_READ = ("cpu",)
_WITHOUT_FLOAT64 = ("mps",)


def reading_waits(device: torch.device) -> bool:
    """Whether reading a value from `device` makes the host wait for work that is under way.

    On a CPU it does not, so there a look at the data may save work. Everywhere else (a GPU, or
    torch's `meta` device, where there is nothing to read) hot loops must do without.
    """
    return device.type not in _FREE_TO_READ


def exact_device(device: torch.device) -> torch.device:
    """Where float64 arithmetic for `device` is done: on the host where the device has none."""
    return torch.device("cpu") if device.type in _WITHOUT_FLOAT64 else device


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
