"""Models from settings."""

from __future__ import annotations

from typing import Any

import torch

from rollout.randomness import seed_everything

from ..config import DiscriminatorConfig, GeneratorConfig
from ..config.components import build
from ..data.spec import TokenSpec
from .discriminators.base import Discriminator
from .generator import Generator

__all__ = ["make_discriminator", "make_generator"]


def make_generator(settings: GeneratorConfig, spec: TokenSpec, seed: int) -> Generator:
    """A generator with fresh parameters drawn from `seed`, for tokens as in `spec`."""
    generator: Generator = _seeded(settings, spec, seed)
    return generator


def make_discriminator(settings: DiscriminatorConfig, spec: TokenSpec, seed: int) -> Discriminator:
    """A discriminator with fresh parameters drawn from `seed`, for tokens as in `spec`."""
    discriminator: Discriminator = _seeded(settings, spec, seed)
    return discriminator


def _seeded(settings: Any, spec: TokenSpec, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        seed_everything(seed)
        return build(settings, spec)
