"""Times the gymnasium environments: steps per second, one by one, in a loop, and as a batch.

Usage:
    python -m benchmarks.speed.environment

Actions are drawn beforehand and are never EOS, so every episode has its full length; the reward
counts a token. "loop" is gymnasium's SyncVectorEnv over single environments, "batch" the batched
form; both reset themselves in the step after an end.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from importlib import metadata

import gymnasium
import numpy as np
import torch
from torch import Tensor

import seqgan  # noqa: F401 - registers the environment
from rollout import Sequences

ENVIRONMENT = "seqgan/TokenGeneration-v0"
TASKS = ((11, 7), (5_000, 20))


def main(arguments: list[str] | None = None) -> None:
    """Runs the measurements and prints them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000, help="steps a measurement, about")
    parser.add_argument("--repeats", type=int, default=5, help="measurements, of which the median")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[16, 256, 1024])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("torch", "numpy", "gymnasium")
    )
    print(f"Python {platform.python_version()}, {versions}; {os.cpu_count()} CPUs, one thread")
    for vocabulary, length in TASKS:
        print(f"\nvocabulary {vocabulary:,}, length {length}; steps per second")
        settings = {"reward": threes, "vocab_size": vocabulary, "max_length": length, "eos_id": 0}
        rates = [single_rate(options.steps // 10, settings) for _ in range(options.repeats)]
        print(row("1, gymnasium.make", rates))
        for count in options.num_envs:
            for name, mode, share in (("loop", "sync", 10), ("batch", "vector_entry_point", 1)):
                steps = max(2 * length, options.steps // share // count)
                rates = [batch_rate(steps, count, mode, settings) for _ in range(options.repeats)]
                print(row(f"{count:,}, {name}", rates))


def threes(sequences: Sequences) -> Tensor:
    """Count of the token 3 in each sequence."""
    return ((sequences.tokens == 3) & sequences.mask).sum(1).float()


def single_rate(steps: int, settings: dict) -> float:
    """Steps per second of one environment."""
    env = gymnasium.make(ENVIRONMENT, **settings)
    actions = np.random.default_rng(0).integers(1, settings["vocab_size"], steps).tolist()
    env.reset(seed=0)
    start = time.perf_counter()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return steps / (time.perf_counter() - start)


def batch_rate(steps: int, count: int, mode: str, settings: dict) -> float:
    """Steps per second of `count` environments together, each of them counted."""
    envs = gymnasium.make_vec(ENVIRONMENT, num_envs=count, vectorization_mode=mode, **settings)
    actions = np.random.default_rng(0).integers(1, settings["vocab_size"], (steps, count))
    envs.reset(seed=0)
    start = time.perf_counter()
    for each in actions:
        envs.step(each)
    return steps * count / (time.perf_counter() - start)


def row(name: str, rates: list[float]) -> str:
    """One line of the table."""
    median, low, high = statistics.median(rates), min(rates), max(rates)
    return f"{name:<20}{median:>12,.0f} median, {low:,.0f} to {high:,.0f} of {len(rates)}"


if __name__ == "__main__":
    main()
