"""Random numbers that belong to a purpose and a step.

Nothing draws from a stream that runs through a whole run: every piece of work derives its own seed
from the run's seed, its name and its number. So no random state has to be saved, and work that is
done again gives the same result.
"""

from __future__ import annotations

import hashlib

import torch

from rollout.randomness import seeded_generator

__all__ = ["derive_seed", "rng_for"]


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed below 2^63 for a purpose, e.g. ``derive_seed(seed, "mle", "order", epoch)``."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng_for(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator seeded for a purpose, by all bits of the derived seed."""
    return seeded_generator(derive_seed(seed, *purpose))
