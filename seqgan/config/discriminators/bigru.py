"""Settings of the bidirectional GRU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .bilstm import BiLSTM

__all__ = ["BiGRU"]


@dataclass
class BiGRU(BiLSTM):
    """A bidirectional GRU whose outputs are pooled over the sequence.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        hidden: units per direction.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        spectral_norm: divide the output layer's weights by their largest singular value.
    """

    builds: ClassVar[str] = "seqgan.models.discriminators.bigru"
    architecture: str = "bigru"
