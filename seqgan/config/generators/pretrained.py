"""Settings of a generator that begins as a pretrained language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..checks import dropout, positive, require, sizes
from ..corpus import CorpusConfig
from ..names import TOKENIZER_FILES
from .base import GeneratorConfig

__all__ = ["Pretrained"]


@dataclass
class Pretrained(GeneratorConfig):
    """A causal language model of the library transformers, whole or by LoRA (Hu et al. 2021).

    Attributes:
        architecture: kind of network.
        model: a folder that transformers reads, or a .gguf file; nothing is downloaded.
        lora_rank: rank of the adapters that are trained in the place of the model; 0: all of the
            model is trained.
        lora_alpha: the adapters count lora_alpha / lora_rank.
        dropout: probability of dropping an input or a feature in training, from 0 to below 1;
            dropouts of the model's own stay as its configuration has them.
    """

    builds: ClassVar[str] = "seqgan.models.generators.pretrained"
    files: ClassVar[str] = "model"
    has_members = False  # each would be a large model
    architecture: str = "pretrained"
    model: str = ""
    lora_rank: int = 0
    lora_alpha: float = 16.0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "lora_rank", least=0)
        positive(self, "lora_alpha")
        dropout(self)

    def check_corpus(self, corpus: CorpusConfig) -> None:
        """Requires text that the model's own tokenizer cuts.

        Pieces of another one would begin with the embeddings of tokens that have nothing to do
        with them.
        """
        require(
            str(getattr(corpus, "tokenizer", "")).endswith(TOKENIZER_FILES),
            "--generator.architecture: pretrained reads text that the model's own tokenizer has "
            "cut; give --data FILE and --corpus.tokenizer FOLDER/tokenizer.json (or the .gguf "
            "file), of the folder that --generator.model names",
        )
