"""Settings of the Transformer encoder as discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, heads, sizes
from .base import DiscriminatorConfig

__all__ = ["TransformerEncoder"]


@dataclass
class TransformerEncoder(DiscriminatorConfig):
    """A Transformer encoder whose outputs are pooled over the sequence.

    Attributes:
        architecture: kind of network.
        width: size of the token embeddings and of every layer's output.
        layers: number of layers.
        heads: attention heads per layer; the width is divided among them.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        spectral_norm: divide each layer's weights by their largest singular value.
    """

    rare = ("spectral_norm",)

    builds: ClassVar[str] = "seqgan.models.discriminators.transformer"
    architecture: str = "transformer"
    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.3
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "width", "layers", "heads")
        heads(self)
        dropout(self)
