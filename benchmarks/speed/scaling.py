"""Growth of times and memory with length, vocabulary, rollouts and batch."""

from __future__ import annotations

from typing import Any

import torch

from rollout import DiscriminatorReward, action_values
from rollout.randomness import seed_everything, seeded_generator

from .machine import Timer, peak_memory
from .workload import Workload

__all__ = ["eos_halves", "memory_limits", "scaling", "stratification"]

GROWTH: dict[str, tuple[int, ...]] = {
    "length": (20, 40, 80, 160),
    "vocabulary": (5_000, 10_000, 20_000, 50_000),
    "rollouts": (1, 4, 16, 64),
    "batch": (16, 64, 256, 512),
}


def scaling(work: Workload, timer: Timer, tiny: bool) -> list[dict[str, Any]]:
    """Rollouts with one size changed at a time: seconds, tokens sampled, nanoseconds per logit."""
    rows = []
    for name, values in GROWTH.items():
        usual = getattr(work.sizes, name)
        for value in (usual, 2 * usual) if tiny else values:
            changed = work.resized(**{name: value})
            seconds = timer.once(changed.rollouts)
            tokens = changed.sizes.tokens()
            rows.append(
                {
                    "size": name,
                    "value": value,
                    "seconds": seconds,
                    "tokens": tokens,
                    "nanoseconds_a_logit": 1e9 * seconds / tokens / changed.sizes.vocabulary,
                }
            )
    return rows


def eos_halves(work: Workload, timer: Timer, repeats: int = 3) -> dict[str, Any]:
    """Rollouts of a policy whose sequences end at half the greatest length on average."""
    ending = work.resized(eos=True)
    _end_half_way(ending)
    seconds, full = timer.medians([ending.rollouts, work.rollouts], repeats)
    return {
        "mean_length": float(ending.batch.lengths.float().mean()),
        "max_length": ending.sizes.length,
        "seconds": seconds,
        "seconds_without_eos": full,
    }


def _end_half_way(work: Workload) -> None:
    """Sets the bias of EOS so that sequences have half the greatest length on average.

    The bias is found by bisection on samples that all use the same random numbers.
    """
    low, high = -10.0, 30.0
    with torch.no_grad():
        for _ in range(12):
            middle = (low + high) / 2
            work.generator.head.bias[1] = middle
            longer = work.sampled(300).lengths.float().mean() > work.sizes.length / 2
            low, high = (middle, high) if longer else (low, middle)
    work.batch = work.sampled(work.sizes.batch)


def memory_limits(work: Workload, tiny: bool) -> list[dict[str, Any]]:
    """Peak memory of the rollouts, and of rollouts over a large vocabulary."""
    large = {"vocabulary": 2 * work.sizes.vocabulary} if tiny else {"vocabulary": 50_000}
    rows = []
    for changes in ({}, {**large, "length": work.sizes.length if tiny else 64}):
        changed = work.resized(**changes)
        sizes = changed.sizes
        rows.append(
            {
                "work": f"rollouts, V {sizes.vocabulary:,}, T {sizes.length}, "
                f"batch {sizes.batch}, N {sizes.rollouts}",
                "peak_bytes": peak_memory(changed.rollouts, work.device),
            }
        )
    return rows


def stratification(work: Workload, tiny: bool) -> dict[str, Any]:
    """Variance of the values with independent and with stratified rollouts.

    The generator's weights are drawn like those of the paper's oracle, N(0, 1), so that its
    distributions are far from uniform; the reward is the untrained CNN's log-odds.
    """
    repeats = 4 if tiny else 24
    model = work.resized(batch=min(8, work.sizes.batch))
    seed_everything(work.seed)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.normal_()
    model.batch = model.sampled(model.sizes.batch)
    reward = DiscriminatorReward(model.judge, "log_odds")
    variances, means = [], []
    for stratified in (False, True):
        values = torch.stack(
            [
                action_values(
                    model.generator,
                    model.batch,
                    reward,
                    model.sizes.rollouts,
                    rng=seeded_generator(seed),
                    stratified=stratified,
                )
                for seed in range(repeats)
            ]
        ).double()
        variances.append(float(values.var(0).mean()))
        means.append(float(values.mean()))
    return {
        "variance_independent": variances[0],
        "variance_stratified": variances[1],
        "mean_independent": means[0],
        "mean_stratified": means[1],
        "repeats": repeats,
    }
