"""Settings of the MLP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, sizes
from .base import DiscriminatorConfig

__all__ = ["MLP"]


@dataclass
class MLP(DiscriminatorConfig):
    """A network on pooled embeddings: it sees which tokens there are, and not their order.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        hidden: units of each hidden layer.
        layers: number of hidden layers.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        spectral_norm: divide each layer's weights by their largest singular value.
    """

    rare = ("spectral_norm",)

    builds: ClassVar[str] = "seqgan.models.discriminators.mlp"
    architecture: str = "mlp"
    embedding: int = 64
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.5
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "hidden", "layers")
        dropout(self)
