"""Limits of a machine, and the share that a piece of work took: time and memory."""

from __future__ import annotations

import ctypes
import gc
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

__all__ = ["Timer", "gemm_rate", "memory_rate", "peak_memory"]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Timer:
    """Wall-clock times of work on a device.

    Args:
        device: whose queue is waited for.
    """

    def __init__(self, device: torch.device):
        self.device = device

    def once(self, work: Callable[[], object]) -> float:
        """Seconds that `work` takes."""
        self._wait()
        start = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - start

    def medians(self, works: list[Callable[[], object]], repeats: int) -> list[float]:
        """Median seconds of each, measured in turn, so that what disturbs one disturbs all."""
        times: list[list[float]] = [[] for _ in works]
        for _ in range(repeats):
            for work, seconds in zip(works, times, strict=True):
                seconds.append(self.once(work))
        return [statistics.median(seconds) for seconds in times]

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def gemm_rate(timer: Timer, size: int = 1_024, repeats: int = 10) -> float:
    """Operations per second of a product of square float32 matrices: the best of `repeats`."""
    a, b = (torch.randn(size, size, device=timer.device) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * size**3 / min(timer.once(lambda: torch.mm(a, b, out=out)) for _ in range(repeats))


def memory_rate(timer: Timer, size: int = 1 << 26, repeats: int = 5) -> float:
    """Bytes per second read and written by copying `size` bytes: the best of `repeats`."""
    source = torch.zeros(size // 4, device=timer.device)
    target = torch.zeros_like(source)
    return 2 * size / min(timer.once(lambda: target.copy_(source)) for _ in range(repeats))


def peak_memory(work: Callable[[], object], device: torch.device) -> int | None:
    """Bytes of memory that `work` took at most on top of what was in use; None: not known here."""
    gc.collect()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # what the C library has kept would be taken again unseen
    try:
        _CLEAR.write_text("5")  # Linux: the largest resident size so far is forgotten
    except OSError:
        return None
    before = _resident("VmRSS")
    work()
    return max(0, _resident("VmHWM") - before)


def _resident(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])
