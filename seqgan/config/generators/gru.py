"""Settings of the GRU generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, sizes
from .base import GeneratorConfig

__all__ = ["GRU"]


@dataclass
class GRU(GeneratorConfig):
    """A GRU language model: an LSTM's relative with one state and three quarters of its weights.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        hidden: units per layer.
        layers: number of layers.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        tied: the output layer has the weights of the token embeddings.
        noise: numbers from N(0, 1) that every sequence is drawn with, as a part of its condition;
            0: none.
        grid: add embeddings of a pixel's row and column to each token's (pictures).
    """

    rare = ("noise", "grid")

    builds: ClassVar[str] = "seqgan.models.generators.gru"
    architecture: str = "gru"
    embedding: int = 128
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.4
    tied: bool = False
    noise: int = 0
    grid: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "hidden", "layers")
        sizes(self, "noise", least=0)
        dropout(self)
