"""Settings of the bidirectional LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, sizes
from .base import DiscriminatorConfig

__all__ = ["BiLSTM"]


@dataclass
class BiLSTM(DiscriminatorConfig):
    """A bidirectional LSTM whose outputs are pooled over the sequence.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        hidden: units per direction.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        spectral_norm: divide the output layer's weights by their largest singular value.
    """

    rare = ("spectral_norm",)

    builds: ClassVar[str] = "seqgan.models.discriminators.bilstm"
    architecture: str = "bilstm"
    embedding: int = 32
    hidden: int = 128
    dropout: float = 0.5
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "hidden")
        dropout(self)
