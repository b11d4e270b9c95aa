"""Models from settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from rollout.randomness import seed_everything

from ..config import DiscriminatorConfig, GeneratorConfig
from ..config.components import build
from ..data.codec import Codec, IdCodec
from ..data.spec import TokenSpec
from .discriminators.base import Discriminator
from .generator import Generator

__all__ = ["make_discriminator", "make_generator", "shapes_alone"]


class _NothingDrawn(TorchFunctionMode):
    """Leaves parameters as they are where they would be drawn."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Models are made on torch's `meta` device: parameters have shapes and no memory.

    None of them is drawn: for random numbers on that device torch imports its compiler, which takes
    longer than all else that a short command does.
    """
    with torch.device("meta"), _NothingDrawn():
        yield


def make_generator(settings: GeneratorConfig, spec: TokenSpec, seed: int) -> Generator:
    """A generator with fresh parameters drawn from `seed`, for tokens as in `spec`."""
    generator: Generator = _seeded(settings, spec, seed)
    return generator


def make_discriminator(
    settings: DiscriminatorConfig, spec: TokenSpec, seed: int, codec: Codec | None = None
) -> Discriminator:
    """A discriminator with fresh parameters drawn from `seed`.

    Args:
        settings: of the architecture.
        spec: the token ids.
        seed: of the parameters.
        codec: makes the texts that a discriminator of texts reads; None: the tokens have no words,
            and their ids are its texts.
    """
    discriminator: Discriminator = _seeded(settings, spec, seed)
    discriminator.attach(IdCodec(spec) if codec is None else codec)
    return discriminator


def _seeded(settings: Any, spec: TokenSpec, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        seed_everything(seed)
        return build(settings, spec)
