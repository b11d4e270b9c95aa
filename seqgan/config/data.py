"""Settings of the data: a dataclass per kind of source, a line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ConfigError
from .checks import choice, require, seed, shares, sizes
from .files import ReadingConfig
from .names import check_tokenizer
from .settings import Settings

__all__ = [
    "SOURCES", "CorpusConfig", "DrawnCorpus", "FileCorpus", "GrammarCorpus", "OracleCorpus",
    "check_corpus", "corpus_kind",
]  # fmt: skip


@dataclass
class CorpusConfig(Settings):
    """The way from a source of data to sequences of token ids; the source chooses the kind.

    Attributes:
        split_seed: seed of the splits and of the draws; none: --seed.
    """

    group = "corpus."

    split_seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split_seed is not None:
            seed(self.split_seed, "--corpus.split_seed")

    @classmethod
    def others(cls) -> Mapping[str, type[Settings]]:
        """The settings of all kinds of sources, for messages."""
        return {"a file": FileCorpus, **SOURCES}

    def data_seed(self, seed: int) -> int:
        """The seed of the splits and draws, if that of everything else is `seed`."""
        return seed if self.split_seed is None else self.split_seed


@dataclass
class FileCorpus(ReadingConfig, CorpusConfig):
    """Sequences out of a file, or out of WordNet.

    Attributes:
        tokenizer: how a line becomes tokens: spaces, words (NLTK), characters, integers, the path
            of a tokenizer.json, or package.module:Class.
        max_length: longest sequence in tokens, EOS counted where sequences end in EOS.
        max_vocabulary: most token types kept, the 4 special tokens not counted; 0 for all, else 4
            or more.
        min_count: token types rarer than this in the training split become <unk>.
        too_long: what happens to sequences over max_length: error, truncate, drop.
        empty: what happens to empty lines: error, drop.
        split: how a file is split: random (seeded) or contiguous (consecutive lines).
        validation_share: share of a file's distinct sequences for model selection, if no
            validation file is given; from 0 to 0.5.
        heldout_share: share of a file's distinct sequences that neither generator nor
            discriminator trains on, to measure the discriminator by; from 0 to 0.5.
        test_share: share of a file's distinct sequences for the final test, if no test file
            is given; from 0 to 0.5.
        num_train: number of training sequences at most; 0: all.
    """

    rare = (
        "column_number",
        "header",
        "strip",
        "padding",
        "format",
        "too_long",
        "empty",
        "split_seed",
        "validation_share",
        "heldout_share",
    )

    group = "corpus."

    tokenizer: str = "words"
    max_length: int = 40
    max_vocabulary: int = 20_000
    min_count: int = 2
    too_long: str = "drop"
    empty: str = "drop"
    split: str = "random"
    validation_share: float = 0.05
    heldout_share: float = 0.05
    test_share: float = 0.1
    num_train: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tokenizer("--corpus.tokenizer", self.tokenizer)
        choice(self, "too_long", ("error", "truncate", "drop"))
        choice(self, "empty", ("error", "drop"))
        choice(self, "split", ("random", "contiguous"))
        sizes(self, "max_length", "min_count")
        sizes(self, "max_vocabulary", "num_train", least=0)
        require(
            self.num_train != 1,
            "--corpus.num_train: 1 is too few to train on; give 2 or more, or 0 for all",
        )
        require(
            self.max_vocabulary == 0 or self.max_vocabulary >= 4,
            f"--corpus.max_vocabulary: {self.max_vocabulary} is fewer than the special tokens "
            "alone; expected 4 or more, or 0 for all",
        )
        shares(self, "validation_share", "heldout_share", "test_share", most=0.5)


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


SOURCES: dict[str, type[CorpusConfig]] = {
    "grammar": GrammarCorpus,
    "oracle": OracleCorpus,
    "wordnet": FileCorpus,
}
"""The sources that need no file; every other name of data is a file's."""


def corpus_kind(data: object) -> type[CorpusConfig]:
    """The dataclass of the settings of what `data` names: a source, or a file."""
    return SOURCES.get(str(data), FileCorpus)


def check_corpus(data: object, corpus: CorpusConfig) -> None:
    """Requires settings of the kind that the source of the data has."""
    kind = corpus_kind(data)
    if not isinstance(corpus, kind):
        raise ConfigError(
            f"--corpus: settings of a {type(corpus).__name__} do not fit {data}: give a mapping or "
            f"{kind.__name__}(...)"
        )
