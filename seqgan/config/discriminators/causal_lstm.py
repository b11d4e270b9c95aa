"""Settings of the LSTM that judges every token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, sizes
from .base import DiscriminatorConfig

__all__ = ["CausalLSTM"]


@dataclass
class CausalLSTM(DiscriminatorConfig):
    """An LSTM that reads from left to right, with a logit per token.

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings.
        hidden: units per layer.
        layers: number of layers.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        spectral_norm: divide the output layer's weights by their largest singular value.
    """

    per_token = True
    rare = ("spectral_norm",)

    builds: ClassVar[str] = "seqgan.models.discriminators.causal_lstm"
    architecture: str = "causal_lstm"
    embedding: int = 32
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.5
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "hidden", "layers")
        dropout(self)
