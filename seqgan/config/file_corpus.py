"""Settings of data out of a file."""

from __future__ import annotations

from dataclasses import dataclass, field

from .checks import choice, require, shares, sizes
from .corpus import CorpusConfig
from .files import ReadingConfig
from .names import TOKENIZER_FILES, check_tokenizer

__all__ = ["FileCorpus"]


@dataclass
class FileCorpus(ReadingConfig, CorpusConfig):
    """Sequences out of a file, or out of WordNet.

    Attributes:
        tokenizer: how a line becomes tokens: spaces, words (NLTK), characters, integers, smiles,
            selfies, the path of a tokenizer.json or of a model's .gguf, or package.module:Class.
        max_length: longest sequence in tokens, EOS counted where sequences end in EOS.
        whole_vocabulary: keep all tokens of the tokenizer's file, also those that the data lack, so
            that a pretrained model reads and writes any text; off: those of the training split.
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
        eos: sequences end in a token of their own, EOS; off: all have one length (pictures, say).
        label: column of a table or field of JSON that holds the label of each sequence, by which
            it can be asked for (of WordNet: pos, noun or verb); none: there are no labels.
        tasks: further files to train on; each file, the first one too, is a task, and the label of
            a sequence is its file's name without the ending.
        source: column or field that holds the text that each sequence answers (the sentence to
            translate, say); none: there is none.
    """

    rare = (
        "whole_vocabulary",
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
        "eos",
    )

    group = "corpus."

    tokenizer: str = "words"
    max_length: int = 40
    whole_vocabulary: bool = False
    max_vocabulary: int = 20_000
    min_count: int = 2
    too_long: str = "drop"
    empty: str = "drop"
    split: str = "random"
    validation_share: float = 0.05
    heldout_share: float = 0.05
    test_share: float = 0.1
    num_train: int = 0
    eos: bool = True
    label: str | None = None
    tasks: list[str] = field(default_factory=list)
    source: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tokenizer("--corpus.tokenizer", self.tokenizer)
        for name in ("label", "source"):
            require(getattr(self, name) != "", f"--corpus.{name}: an empty name; leave it out")
        require(
            not (self.tasks and self.label),
            "--corpus.tasks and --corpus.label: both say what the labels are; leave one out",
        )
        require(
            not self.whole_vocabulary or self.tokenizer.endswith(TOKENIZER_FILES),
            f"--corpus.whole_vocabulary: {self.tokenizer} has no vocabulary of its own; give "
            "--corpus.tokenizer a tokenizer.json or a .gguf file",
        )
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

    def columns(self) -> dict[str, str]:
        """The columns of the file that hold label and source."""
        names = {"label": self.label, "source": self.source}
        return {part: name for part, name in names.items() if name is not None}

    def names(self) -> set[str]:
        """Label and source, if there are such columns, and the columns' own names."""
        found = self.columns()
        return {*found, *found.values()}
