"""Settings of the relational memory generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, require, sizes
from .base import GeneratorConfig

__all__ = ["Relational"]


@dataclass
class Relational(GeneratorConfig):
    """A relational memory core (Santoro et al. 2018), RelGAN's generator.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        slots: vectors of the memory.
        width: size of each of them.
        heads: attention heads, which divide the width among them.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        noise: numbers from N(0, 1) that every sequence is drawn with, as a part of its condition;
            0: none.
    """

    rare = ("noise",)

    builds: ClassVar[str] = "seqgan.models.generators.relational"
    architecture: str = "relational"
    embedding: int = 32
    slots: int = 1
    width: int = 512
    heads: int = 2
    dropout: float = 0.0
    noise: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "slots", "width", "heads")
        sizes(self, "noise", least=0)
        require(
            self.width % self.heads == 0,
            f"--generator.width: {self.width} is no multiple of --generator.heads {self.heads}",
        )
        dropout(self)
