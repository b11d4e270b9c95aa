"""From the sequences a user has to the integer arrays the metrics work on.

A corpus is a collection of sequences, a sequence is a collection of tokens, and a token is
anything hashable: a word, a character, an id. Tokens are the same where Python says they are equal
(``1 == 1.0 == True``); strings are compared code point by code point, without any normalisation.

Shapes: S sequences, N tokens in all of them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seqgan.errors import MetricError

__all__ = ["Corpus", "Encoded", "Floats", "Ints", "as_sequences", "check_order", "encode", "parts"]

Corpus: TypeAlias = Iterable[Sequence[Hashable]] | NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Encoded:
    """A corpus as integers.

    Attributes:
        ids: int64 [N], the tokens of all sequences one after the other, numbered in the order in
            which they first appear.
        lengths: int64 [S], tokens of each sequence; empty sequences count.
        vocabulary: the number of every token.
    """

    ids: Ints
    lengths: Ints
    vocabulary: dict[Hashable, int]

    def __len__(self) -> int:
        return self.lengths.size

    def owners(self) -> Ints:
        """int64 [N]: the sequence that every token belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def num_ngrams(self, order: int) -> Ints:
        """int64 [S]: how many n-grams of `order` tokens every sequence has."""
        return np.maximum(self.lengths - (order - 1), 0)


def as_sequences(corpus: Corpus, what: str = "sequences", at_least: int = 1) -> list[Any]:
    """The corpus as a list of sequences of tokens, checked.

    Arrays and tensors, as a whole or as single sequences, become lists of Python numbers: elements
    of a tensor are hashed by identity and would never match one another.

    Args:
        corpus: any iterable of sequences, or an array [S, T].
        what: how the error message calls it.
        at_least: the number of sequences that the metric needs.

    Returns:
        A list of S sequences; the given list itself where nothing had to be converted.

    Raises:
        MetricError: there are fewer than `at_least` sequences, or one of them is a string (text
            that nobody has split into tokens) or not a sequence at all.
    """
    if hasattr(corpus, "tolist"):
        corpus = corpus.tolist()
    if isinstance(corpus, str | bytes) or not isinstance(corpus, Iterable):
        raise MetricError(f"{what} must be a list of token sequences, got {_kind(corpus)}")
    rows = corpus if isinstance(corpus, list) else list(corpus)
    kinds = set(map(type, rows))
    if any(hasattr(kind, "tolist") for kind in kinds):
        rows = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
        kinds = set(map(type, rows))
    for kind in kinds:
        if issubclass(kind, str | bytes) or not issubclass(kind, Sequence):
            index = next(i for i, row in enumerate(rows) if type(row) is kind)
            raise MetricError(
                f"{what}[{index}] must be a list of tokens, got {_kind(rows[index])}; split text "
                "first: line.split() for words, list(line) for characters"
            )
    if len(rows) < at_least:
        raise MetricError(f"{what}: at least {at_least} needed, got {len(rows)}")
    return rows


def parts(corpus: Corpus, what: str, size: int) -> Iterator[list[Any]]:
    """The corpus as from `as_sequences`, some sequences at a time.

    A sequence of sequences that makes them when they are read is never held whole.

    Args:
        corpus: as of `as_sequences`.
        what: how the error message calls it.
        size: tokens from which on a part is full.

    Yields:
        Lists of sequences, in order; at least one.

    Raises:
        MetricError: as `as_sequences`.
    """
    if isinstance(corpus, list | tuple | str | bytes) or not isinstance(corpus, Sequence):
        corpus = as_sequences(corpus, what)
    part: list[Any] = []
    tokens = 0
    nothing = True
    for row in corpus:
        part.append(row)
        tokens += len(row) if hasattr(row, "__len__") else 1
        if tokens >= size:
            yield as_sequences(part, what)
            part, tokens, nothing = [], 0, False
    if part or nothing:
        yield as_sequences(part, what)


def encode(rows: Sequence[Sequence[Hashable]]) -> Encoded:
    """Numbers the tokens of S sequences.

    Args:
        rows: sequences as `as_sequences` returns them.

    Raises:
        MetricError: a token is not hashable, or is an element of a tensor.
    """
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    # A token that is met for the first time gets the next number, so that one lookup a token, run
    # entirely in C, does the whole conversion. It is half of the cost of a self-BLEU.
    numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)
    lookups = map(numbers.__getitem__, chain.from_iterable(rows))
    try:
        ids = np.fromiter(lookups, np.int64, int(lengths.sum()))
    except TypeError as error:
        raise MetricError(f"a token must be hashable (a word, an id): {error}") from error
    for kind in set(map(type, numbers)):
        if hasattr(kind, "tolist") and not issubclass(kind, np.generic):
            raise MetricError(
                f"a token is of type {kind.__name__}, which never equals another by its hash: "
                "convert the sequences with .tolist()"
            )
    return Encoded(ids, lengths, dict(numbers))


def check_order(max_order: int) -> None:
    """Refuses an order that is not a positive whole number.

    Raises:
        MetricError: it is not.
    """
    if isinstance(max_order, bool) or not isinstance(max_order, int) or max_order < 1:
        raise MetricError(f"max_order must be a whole number of at least 1, got {max_order!r}")


def _kind(value: Any) -> str:
    """A value for an error message: its type, and its beginning where it is text."""
    if isinstance(value, str | bytes):
        return f"the text {value[:40]!r}"
    return f"a value of type {type(value).__name__}"
