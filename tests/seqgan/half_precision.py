"""fp16 on a CPU, which the toolkit refuses there: the rules of a CUDA device, without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from seqgan import pipeline
from seqgan.training.runtime import make_accelerator


def fp16_accelerator(scale: float = 2.0**16, growth_interval: int = 2000, **kwargs: Any):
    """accelerate with fp16's scaler and autocast on a CPU.

    Args:
        scale: the loss's scale at first.
        growth_interval: steps without overflow after which the scale is doubled.
        kwargs: of `make_accelerator`.
    """
    accelerator: Accelerator = make_accelerator("cpu", **kwargs)
    accelerator.scaler = torch.amp.GradScaler(
        "cpu", init_scale=scale, growth_interval=growth_interval
    )
    accelerator.native_amp = True
    accelerator.state._mixed_precision = "fp16"
    return accelerator


@contextmanager
def fp16_kernels() -> Iterator[None]:
    """torch's own kernels: oneDNN has no fp16 for an LSTM on most processors."""
    before = torch.backends.mkldnn.is_available() and torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


def allow_fp16(patch: pytest.MonkeyPatch, scale: float, growth_interval: int) -> None:
    """``--precision fp16`` of a run on a CPU is done by the double."""

    def made(device: str, precision: str, *arguments: Any, **kwargs: Any) -> Accelerator:
        assert (device, precision) == ("cpu", "fp16")
        for name, value in zip(("folder", "trackers"), arguments, strict=False):
            kwargs[name] = value
        return fp16_accelerator(scale, growth_interval, **kwargs)

    patch.setattr(pipeline, "make_accelerator", made)
