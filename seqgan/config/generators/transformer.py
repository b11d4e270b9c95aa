"""Settings of the Transformer generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, heads, sizes
from .base import GeneratorConfig

__all__ = ["Transformer"]


@dataclass
class Transformer(GeneratorConfig):
    """A decoder-only Transformer: pre-norm, rotary positions, a key/value cache.

    Attributes:
        architecture: kind of network.
        width: size of the token embeddings and of every layer's output.
        layers: number of layers.
        heads: attention heads per layer; the width is divided among them.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        tied: the output layer has the weights of the token embeddings.
        noise: numbers from N(0, 1) that every sequence is drawn with, as a part of its condition;
            0: none.
        grid: add embeddings of a pixel's row and column to each token's (pictures).
    """

    rare = ("noise", "grid")

    builds: ClassVar[str] = "seqgan.models.generators.transformer"
    architecture: str = "transformer"
    width: int = 128
    layers: int = 4
    heads: int = 4
    dropout: float = 0.2
    tied: bool = True
    noise: int = 0
    grid: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "width", "layers", "heads")
        heads(self)
        sizes(self, "noise", least=0)
        dropout(self)
