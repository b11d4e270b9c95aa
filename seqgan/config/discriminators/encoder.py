"""Settings of a discriminator that begins as a pretrained encoder of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, positive, sizes
from .base import DiscriminatorConfig

__all__ = ["Encoder"]


@dataclass
class Encoder(DiscriminatorConfig):
    """An encoder of the library transformers that reads the texts of sequences, fine-tuned.

    Attributes:
        architecture: kind of network.
        encoder: a folder that transformers reads, or a .gguf file; nothing is downloaded.
        lora_rank: rank of the adapters that are trained in the place of the encoder; 0: all of it
            is trained.
        lora_alpha: the adapters count lora_alpha / lora_rank.
        hidden: units of the head's hidden layer; 0: logistic regression.
        dropout: probability of dropping a unit of the head in training, from 0 to below 1.
        spectral_norm: divide the weights of the head's layers by their largest singular value.
    """

    reads_text = True
    rare = ("lora_alpha", "spectral_norm")

    builds: ClassVar[str] = "seqgan.models.discriminators.encoder"
    files: ClassVar[str] = "encoder"
    architecture: str = "encoder"
    encoder: str = ""
    lora_rank: int = 0
    lora_alpha: float = 16.0
    hidden: int = 128
    dropout: float = 0.1
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "lora_rank", "hidden", least=0)
        positive(self, "lora_alpha")
        dropout(self)
