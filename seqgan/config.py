"""Every setting of the toolkit: one dataclass field = default + type + docstring + flag.

This module imports nothing heavy: the command line reads it before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError

__all__ = ["CorpusConfig"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    from .errors import did_you_mean

    if value not in choices:
        raise ConfigError(
            f"{flag}: {value!r} is none of {', '.join(choices)}{did_you_mean(value, choices)}"
        )


@dataclass
class CorpusConfig:
    """How a data source becomes sequences of token ids.

    Attributes:
        tokenizer: how a line becomes tokens: spaces, words (NLTK), characters, integers, the path
            of a tokenizer.json, or package.module:Class.
        field: the field of a .jsonl file that holds the text.
        column: the column of a .csv file that holds the text.
        max_length: longest sequence in tokens, EOS counted where sequences end in EOS.
        max_vocabulary: most token types kept, special tokens not counted; 0 for all.
        min_count: token types rarer than this in the training split become <unk>.
        too_long: what happens to sequences over max_length: error, truncate, drop.
        empty: what happens to empty lines: error, drop.
        split: how a file is split: random (seeded) or contiguous (consecutive lines).
        validation_share: share of a file's distinct sequences for model selection, where no
            validation file is given; from 0 to 0.5.
        heldout_share: share of a file's distinct sequences that neither generator nor
            discriminator trains on, to measure the discriminator by; from 0 to 0.5.
        test_share: share of a file's distinct sequences for the final test, where no test file
            is given; from 0 to 0.5.
        num_train: number of training sequences (oracle and grammar; 0: all, for files).
        num_validation: number of validation sequences (oracle and grammar).
        num_heldout: number of sequences held out for the discriminator (oracle and grammar).
        num_test: number of test sequences (oracle and grammar).
        oracle_parameters: .npz file with the parameters of an LSTM oracle; none: drawn N(0, 1).
        oracle_vocabulary: number of token ids of the oracle.
        oracle_length: number of tokens of every oracle sequence.
        oracle_hidden: units of the oracle's LSTM.
    """

    tokenizer: str = "words"
    field: str | None = None
    column: str | None = None
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
    num_validation: int = 2_000
    num_heldout: int = 2_000
    num_test: int = 5_000
    oracle_parameters: str | None = None
    oracle_vocabulary: int = 5_000
    oracle_length: int = 20
    oracle_hidden: int = 32

    def __post_init__(self) -> None:
        _choice("--corpus.too_long", self.too_long, ("error", "truncate", "drop"))
        _choice("--corpus.empty", self.empty, ("error", "drop"))
        _choice("--corpus.split", self.split, ("random", "contiguous"))
        _require(self.max_length >= 1, f"--corpus.max_length: {self.max_length} is below 1")
        _require(self.min_count >= 1, f"--corpus.min_count: {self.min_count} is below 1")
        _require(
            self.max_vocabulary >= 0, f"--corpus.max_vocabulary: {self.max_vocabulary} is below 0"
        )
        for name in ("validation_share", "heldout_share", "test_share"):
            value = getattr(self, name)
            _require(0 <= value <= 0.5, f"--corpus.{name}: {value} is not between 0 and 0.5")
