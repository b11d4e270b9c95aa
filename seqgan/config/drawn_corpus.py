"""Settings of data that are drawn from a source with a known density."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import require, sizes
from .corpus import CorpusConfig

__all__ = [
    "DrawnCorpus", "GrammarCorpus", "OracleCorpus", "StylesCorpus", "TranslationCorpus",
]  # fmt: skip


@dataclass
class DrawnCorpus(CorpusConfig):
    """Sequences drawn from a source whose density is known.

    Attributes:
        num_train: number of training sequences.
        num_validation: number of validation sequences.
        num_heldout: number of sequences held out for the discriminator.
        num_test: number of test sequences.
    """

    num_train: int = 10_000
    num_validation: int = 2_000
    num_heldout: int = 2_000
    num_test: int = 5_000

    @property
    def counts(self) -> dict[str, int]:
        """The number of sequences of each split."""
        return {
            "train": self.num_train, "validation": self.num_validation,
            "heldout": self.num_heldout, "test": self.num_test,
        }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "num_train", "num_validation", "num_heldout", "num_test", least=4)
        require(
            self.num_train <= 10_000_000,
            f"--corpus.num_train: {self.num_train:,} is above 10,000,000",
        )


@dataclass
class GrammarCorpus(DrawnCorpus):
    """Captions from a probabilistic grammar.

    Attributes:
        max_length: longest sequence in tokens, EOS counted; 21 or more.
    """

    max_length: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "max_length", least=21)


@dataclass
class StylesCorpus(DrawnCorpus):
    """Short letters in two styles, casual and formal, which are their labels.

    Attributes:
        max_length: longest sequence in tokens, EOS counted; 21 or more.
    """

    max_length: int = 21

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "max_length", least=21)


@dataclass
class TranslationCorpus(DrawnCorpus):
    """Sentences of a toy language, each the translation of an English source sentence."""


@dataclass
class OracleCorpus(DrawnCorpus):
    """Sequences of the LSTM oracle of the SeqGAN paper.

    Attributes:
        parameters: .npz file with the oracle's parameters; none: drawn N(0, 1) from the seed.
        vocabulary: number of token ids of an oracle that is drawn.
        length: number of tokens of every sequence.
        hidden: units of an oracle that is drawn.
    """

    parameters: str | None = None
    vocabulary: int = 5_000
    length: int = 20
    hidden: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "vocabulary", least=2)
        sizes(self, "length", "hidden")
