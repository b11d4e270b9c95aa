"""Optional kernels for CUDA devices, written in Triton. Everything works without them."""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..sampling import Sampler

__all__ = ["draws_from", "fused_sampling_works"]

_LEAST, _MOST = 1e-20, 1e20
"""Factors of the logits between which float32 holds their products."""


@cache
def fused_sampling_works(device: torch.device) -> bool:
    """Tells if `sampling.sample` runs on a device: a CUDA device, with Triton and a C compiler.

    It is tried once; where Triton is installed and fails, a warning says so.
    """
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    from .sampling import sample

    try:
        features = torch.zeros(1, 16, device=device)
        weight, bias = torch.zeros(2, 16, device=device), torch.zeros(2, device=device)
        sample(features, weight, bias, torch.full((1,), 0.5, dtype=torch.float64, device=device))
        torch.cuda.synchronize(device)
    except Exception as error:  # of Triton, of the C compiler, of the driver: all have their own
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        warnings.warn(
            f"Triton's kernels do not run here ({reason}): sampling goes on without them",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def draws_from(features: Tensor, weight: Tensor, sampler: Sampler) -> bool:
    """Tells if `sampling.sample` draws what `sampler` would from these features and weights.

    It takes float32 or bfloat16, all tokens (no top-k, top-p, min-p) and temperatures within
    float32.
    """
    all_tokens = sampler.top_k is None and sampler.min_p is None
    all_tokens = all_tokens and (sampler.top_p is None or sampler.top_p >= 1)
    known = features.dtype == weight.dtype and weight.dtype in (torch.float32, torch.bfloat16)
    bounded = _LEAST < 1 / sampler.temperature < _MOST
    return all_tokens and known and bounded and fused_sampling_works(features.device)
