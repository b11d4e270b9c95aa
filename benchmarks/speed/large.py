"""Rollouts of large models, in the precisions of a device.

The two sizes at which the products take the time and not the calls: a vocabulary of 50,000 with 512
units, and 20,000 with 1,024 units in batches of 256.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import torch

from rollout import MixedPrecision

from .machine import Timer, peak_memory
from .workload import Sizes, Workload

__all__ = ["large"]

SIZES = (
    (Sizes(vocabulary=50_000, length=64, batch=64, filter_share=0.01), 512),
    (Sizes(vocabulary=20_000, length=40, batch=256, filter_share=0.01), 1_024),
)
TINY = ((Sizes(200, 6, 4, 2, filter_share=0.01), 16),)


def large(
    device: torch.device, timer: Timer, seed: int, repeats: int, tiny: bool
) -> list[dict[str, Any]]:
    """Rollouts of each size in each precision: seconds, operations per second, and memory.

    Args:
        device: where.
        timer: of that device.
        seed: of models and samples.
        repeats: of which the median counts.
        tiny: sizes that say nothing.
    """
    rows = []
    for sizes, hidden in TINY if tiny else SIZES:
        work = Workload(sizes, device, seed, hidden)
        operations = sizes.tokens() * 2 * (8 * hidden * hidden + hidden * sizes.vocabulary)
        for precision in ("fp32", "TF32", "bf16") if device.type == "cuda" else ("fp32", "bf16"):
            way = replace(work, matmul_precision="high") if precision == "TF32" else work
            policy = MixedPrecision(way.generator) if precision == "bf16" else None
            rollouts = partial(way.rollouts, policy=policy)
            with way.products():
                for _ in range(way.warm_calls):
                    rollouts()
                (seconds,) = timer.medians([rollouts], repeats)
                peak = peak_memory(rollouts, device)
            rows.append(
                {
                    "vocabulary": sizes.vocabulary, "length": sizes.length, "batch": sizes.batch,
                    "units": hidden, "precision": precision, "seconds": seconds,
                    "rate": operations / seconds, "peak_bytes": peak,
                }
            )  # fmt: skip
    return rows
