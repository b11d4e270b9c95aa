"""Settings of the language model that judges by its cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, sizes
from .base import DiscriminatorConfig

__all__ = ["LanguageModel"]


@dataclass
class LanguageModel(DiscriminatorConfig):
    """A language model whose surprise at a token is the token's log-odds (DPGAN, Xu et al. 2018).

    Attributes:
        architecture: kind of network.
        embedding: size of the token embeddings, which the output layer shares.
        hidden: units per layer.
        layers: number of layers.
        dropout: probability of dropping a unit in training, from 0 to below 1.
        scaled: the log-odds of a token are a (surprise - b) with trained a > 0 and b; off: the
            surprise itself, as in the paper, with --critic.loss difference.
    """

    per_token = True

    builds: ClassVar[str] = "seqgan.models.discriminators.language_model"
    architecture: str = "language_model"
    embedding: int = 32
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.2
    scaled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "hidden", "layers")
        dropout(self)
