"""Settings of a generator that begins as a pretrained language model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..checks import dropout, positive, require, sizes
from ..corpus import CorpusConfig
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
        dropout: probability of dropping an input or a feature in training, from 0 to below 1.
    """

    builds: ClassVar[str] = "seqgan.models.generators.pretrained"
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
        given, folder = Path(getattr(corpus, "tokenizer", "")), Path(self.model)
        advice = "give --data FILE and --corpus.tokenizer FOLDER/tokenizer.json"
        require(
            given.suffix == ".json",
            "--generator.architecture: pretrained reads text that the model's own tokenizer has "
            f"cut; {advice}, of the folder that --generator.model names",
        )
        own = (folder.parent if folder.suffix == ".gguf" else folder) / "tokenizer.json"
        if own.is_file() and given.is_file():  # a resumed run's data may lie elsewhere
            require(
                own.read_bytes() == given.read_bytes(),
                f"--corpus.tokenizer: {given} is another tokenizer than that of "
                f"--generator.model; give --corpus.tokenizer {own}",
            )
