"""Settings of how files of sequences are read: every command that reads files has them."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import choice, require
from .names import FORMATS, check_tokenizer
from .settings import Settings

__all__ = ["EvaluateReadingConfig", "ReadingConfig"]


@dataclass
class ReadingConfig(Settings):
    """Reading of the sequences of a file: the settings of every command that reads files.

    Attributes:
        format: lines, jsonl, json, csv, tsv, smi or fasta; auto: as the file's name says.
        field: the field of a .jsonl or .json file that holds the sequence.
        column: the name of the column of a .csv or .tsv file that holds the sequence.
        column_number: the same column by its place, counted from 1.
        header: if the first row of a .csv, .tsv or .smi file names the columns; none: recognised,
            or asked for where that is impossible.
        strip: leave out the white space around a sequence.
        padding: a token that fills the ends of sequences up to one length; it is left out there.
    """

    group = "corpus."

    format: str = "auto"
    field: str | None = None
    column: str | None = None
    column_number: int | None = None
    header: bool | None = None
    strip: bool = True
    padding: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        flags = f"--{self.group}"
        choice(self, "format", FORMATS)
        number = self.column_number
        require(
            number is None or number >= 1,
            f"{flags}column_number: {number} is below 1; the first column is 1",
        )
        require(
            number is None or self.column is None,
            f"{flags}column {self.column} and {flags}column_number {number}: give one of them",
        )
        require(self.padding != "", f"{flags}padding: an empty token; leave it out for none")


@dataclass
class EvaluateReadingConfig(ReadingConfig):
    """Reading of the files that are evaluated.

    Attributes:
        tokenizer: how samples, references and training sequences are cut: spaces, words,
            characters, smiles, or as in other commands; none: words, or the run's own.
        parameters: the run's file with the parameters of an LSTM oracle, if it is no longer
            where the run's settings say.
    """

    tokenizer: str | None = None
    parameters: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tokenizer is not None:
            check_tokenizer("--corpus.tokenizer", self.tokenizer)
