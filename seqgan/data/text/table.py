"""Token sequences as arrays of numbers: a million of them in a few dozen bytes each.

While files are read, every distinct token string (a **type**) gets a number by first appearance,
shared between the files of a corpus; the vocabulary is chosen from the counts afterwards.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...config import FileCorpus
from ...errors import ConfigError, DataError
from .glance import Glance
from .readers import Notes, Record
from .special import SpecialWords
from .tokenizers import FLAG, Tokenizer

if TYPE_CHECKING:
    from .asked import Reader

__all__ = [
    "ROWS",
    "Part",
    "Ragged",
    "TokenTable",
    "Types",
    "check_listed",
    "cut_text",
    "mix",
    "read_table",
    "without_padding",
]

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

ROWS = 50_000
"""Sequences worked on at a time, so that temporary arrays stay small."""


class Types(dict[str, int]):
    """The number of each token string; a new one gets the next number when it is looked up."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


@dataclass
class Ragged:
    """Rows of types of any lengths, B of them.

    Attributes:
        types: int32, one row after the other.
        starts: int64 [B + 1], where each row begins in `types`, and the end.
    """

    types: Int32
    starts: Int64

    def gather(self, rows: Int64) -> tuple[Int32, Int64]:
        """The types of the rows `rows` one after the other, and their places in them.

        Returns:
            types int32 [S] and place int64 [S] of each in its row, from 0.
        """
        lengths = self.starts[rows + 1] - self.starts[rows]
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if len(rows) else 0) - np.repeat(ends - lengths, lengths)
        return self.types[np.repeat(self.starts[rows], lengths) + places], places

    def keys(self) -> UInt64:
        """uint64 [B], equal for equal rows; others share one with a chance of 2^-64."""
        count = len(self.starts) - 1
        keys = np.empty(count, dtype=np.uint64)
        for rows in _chunks(np.arange(count)):
            types, places = self.gather(rows)
            terms = mix(types.astype(np.uint64) + (places.astype(np.uint64) << np.uint64(32)))
            begins = (self.starts[rows] - self.starts[rows[0]]).astype(np.intp)
            keys[rows] = np.add.reduceat(terms, begins)
        return keys


@dataclass
class TokenTable(Ragged):
    """The sequences of one source, B of them, and what was met on reading it.

    Attributes:
        types: int32, the types of all sequences one after the other, without EOS.
        starts: int64 [B + 1], where each sequence begins in `types`, and the end.
        name: the file, or what messages call the source.
        cut: bool [B], True where the length limit cut the sequence.
        words: int32 [B], blank-separated words of the text.
        characters: int32 [B], code points of the text.
        lines: how many texts were read.
        empty: how many had no token.
        long_lengths: int32, tokens, EOS counted, of each sequence that was too long.
        padded: sequences whose padding was left out.
        notes: what was met in the file besides its sequences.
        glance: what its first sequences look like.
        labels: int32 [B], the number of each sequence's label; None without labels.
        sources: the source tokens of each sequence; None without sources.
    """

    name: str
    cut: npt.NDArray[np.bool_]
    words: Int32
    characters: Int32
    lines: int
    empty: int
    long_lengths: Int32
    padded: int
    notes: Notes
    glance: Glance
    labels: Int32 | None = None
    sources: Ragged | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Int64:
        """int64 [B], tokens of each sequence, EOS not counted."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class Part:
    """Some sequences of a table: a split.

    Attributes:
        table: where they stand.
        rows: int64 [B], which they are.
        keys: uint64 [B], equal for equal sequences.
    """

    table: TokenTable
    rows: Int64
    keys: UInt64

    def __len__(self) -> int:
        return len(self.rows)

    def lengths(self) -> Int64:
        """int64 [B], tokens of each sequence, EOS not counted."""
        return self.table.starts[self.rows + 1] - self.table.starts[self.rows]

    def types(self) -> Int32:
        """int32, the types of the sequences one after the other."""
        return self.table.gather(self.rows)[0]

    def ngrams(self, order: int) -> Iterator[UInt64]:
        """Keys of their n-grams, some sequences at a time."""
        for some in _chunks(self.rows):
            types, places = self.table.gather(some)
            ends = np.nonzero(places >= order - 1)[0]
            keys = np.zeros(len(ends), dtype=np.uint64)
            for back in range(order - 1, -1, -1):
                keys = mix(keys + types[ends - back].astype(np.uint64))
            yield keys


def mix(values: UInt64) -> UInt64:
    """A one-to-one scrambling of 64-bit numbers (SplitMix64, Steele, Lea and Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _chunks(rows: Int64) -> Iterator[Int64]:
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS]


def read_table(
    name: str,
    records: Iterable[Record],
    tokenizer: Tokenizer,
    types: Types,
    config: FileCorpus,
    notes: Notes | None = None,
    reader: Reader | None = None,
) -> TokenTable:
    """The sequences of `records`, the empty and the too long dealt with as `config` says.

    Args:
        name: the file, for messages.
        records: the texts.
        tokenizer: cuts them into tokens.
        types: the types met so far; new ones are added.
        config: `max_length` (EOS counted), `too_long`, `empty` and `padding` are read.
        notes: what reading `records` fills.
        reader: notes the conditions of the sequences; None: they have none.

    Raises:
        ConfigError: the sequences are lists of tokens, which the tokenizer would cut anew.
        DataError: the tokenizer refuses a text; a sequence is empty or too long and the setting
            says that this is an error; or nothing is left.
    """
    flat, lengths, long_lengths = array("i"), array("i"), array("i")
    words, characters, cut = array("i"), array("i"), array("b")
    number_of = types.__getitem__
    notes, glance = notes or Notes(), Glance()
    padding = None if config.padding is None else SpecialWords().read([config.padding])[0]
    lines = empty = padded = 0
    for text, line, more in records:
        lines += 1
        tokens = cut_text(name, text, line, tokenizer)
        asked = (-1, []) if reader is None else reader.cut(name, line, more)
        if not glance.full:
            glance.add(text, tokens)
        if padding is not None and tokens and tokens[-1] == padding:
            tokens = without_padding(tokens, padding)
            padded += 1
            text = tokenizer.detokenize(tokens)
        length = len(tokens) + config.eos
        if not tokens or asked is None:
            if config.empty == "error":
                raise DataError(
                    f"{name}, line {line}: is empty (--corpus.empty drop leaves it out)"
                )
            empty += 1
            continue
        length = max(length, len(asked[1]) + 1)
        too_long = length > config.max_length
        if too_long:
            _refuse_long(name, line, length, config)
            long_lengths.append(length)
            if config.too_long == "drop":
                continue
            too_long = len(tokens) + config.eos > config.max_length
            tokens = tokens[: config.max_length] if too_long else tokens
            text = tokenizer.detokenize(tokens)
            asked = asked[0], asked[1][: config.max_length - 1]
        if not config.eos and lengths and len(tokens) != lengths[0]:
            raise DataError(
                f"{name}, line {line}: has {len(tokens)} tokens, and the sequences before it have "
                f"{lengths[0]}: --corpus.eos false needs sequences of one length"
            )
        flat.extend(map(number_of, tokens))
        lengths.append(len(tokens))
        words.append(len(text.split()))
        characters.append(len(text))
        cut.append(too_long)
        if reader is not None:
            reader.add(*asked)
    check_listed(name, notes, tokenizer)
    if not lengths:
        raise DataError(_nothing_left(name, lines, empty, long_lengths, config, glance))
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(np.frombuffer(lengths, dtype=np.int32), out=starts[1:])
    labels, sources = (None, None) if reader is None else reader.result()
    return TokenTable(
        np.frombuffer(flat, dtype=np.int32),
        starts,
        name,
        np.frombuffer(cut, dtype=np.bool_),
        np.frombuffer(words, dtype=np.int32),
        np.frombuffer(characters, dtype=np.int32),
        lines,
        empty,
        np.array(long_lengths, dtype=np.int32),
        padded,
        notes,
        glance,
        labels,
        sources,
    )


def cut_text(name: str, text: str, line: int, tokenizer: Tokenizer) -> list[str]:
    """The tokens of a text; an error names its place.

    Raises:
        DataError: the tokenizer refuses the text.
    """
    try:
        return tokenizer.tokenize(text)
    except DataError as error:
        raise DataError(f"{name}, line {line}: {error}") from error


def without_padding(tokens: list[str], padding: str) -> list[str]:
    """The tokens without the padding at their end."""
    end = len(tokens)
    while end and tokens[end - 1] == padding:
        end -= 1
    return tokens[:end]


def check_listed(name: str, notes: Notes, tokenizer: Tokenizer, flag: str = FLAG) -> None:
    """Refuses a tokenizer that cuts lists of tokens, joined by blanks, in another way.

    Raises:
        ConfigError: it does, or may do so.
    """
    if notes.listed and tokenizer.name not in ("spaces", "integers"):
        raise ConfigError(
            f"{name} holds lists of tokens, which {tokenizer.name!r} would cut anew: give "
            f"{flag} spaces, or {flag} integers for whole numbers"
        )


def _refuse_long(name: str, line: int, length: int, config: FileCorpus) -> None:
    if config.too_long == "error":
        raise DataError(
            f"{name}, line {line}: has {length} tokens, EOS counted, and --corpus.max_length is "
            f"{config.max_length} (--corpus.too_long truncate or drop goes on)"
        )


def _nothing_left(
    name: str,
    lines: int,
    empty: int,
    long_lengths: array[int],
    config: FileCorpus,
    glance: Glance,
) -> str:
    if not long_lengths:
        return f"{name}: all of its {lines} lines are empty"
    padding = glance.padding() if config.padding is None else None
    padded = f"; they end in {padding!r}: if that is padding, give --corpus.padding {padding}"
    return (
        f"{name}: none of {lines} lines is left, {empty} being empty and {len(long_lengths)} "
        f"longer than --corpus.max_length {config.max_length}; the shortest of these has "
        f"{min(long_lengths)} tokens, EOS counted, the longest {max(long_lengths)}"
        + ("" if padding is None else padded)
    )
