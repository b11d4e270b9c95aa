"""The token ids of a data set, as models need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["TokenSpec"]

LONGEST = 20_000_000
"""Tokens of a sequence at most: what --corpus.max_length allows."""


class TokenSpec(NamedTuple):
    """The token ids of a source, as a policy needs them.

    Attributes:
        vocab_size: V.
        bos_id: consumed before the first token.
        eos_id: ends a sequence, or None.
        pad_id: written after a sequence's end.
        max_length: largest number of tokens of a sequence, EOS counted.
        forbidden: ids that have probability 0: no split holds them.
        withheld: ids that are never emitted, since the training split lacks them, and yet have a
            probability, since another split holds them.
        labels: number of labels that sequences are asked for by, 0 .. labels - 1; 0: none.
        source_vocab: number of token ids of source sequences; 0: there are none.
        source_length: tokens of the longest source sequence, EOS counted.
        width: tokens of a row, if the sequences are pictures; 0: they have no rows.
        model_ids: for each token its id in the tokenizer file that the data were cut by, -1 if
            that has none; empty: they were cut by another.
    """

    vocab_size: int
    bos_id: int
    eos_id: int | None
    pad_id: int
    max_length: int
    forbidden: tuple[int, ...]
    withheld: tuple[int, ...] = ()
    labels: int = 0
    source_vocab: int = 0
    source_length: int = 0
    width: int = 0
    model_ids: tuple[int, ...] = ()

    @property
    def condition(self) -> tuple[str, ...]:
        """The parts of the condition that every sequence has: label, source."""
        parts = {"label": self.labels, "source": self.source_vocab}
        return tuple(name for name, size in parts.items() if size)

    def to_dict(self) -> dict[str, Any]:
        """The ids as JSON has them."""
        return self._asdict()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TokenSpec:
        """The ids that `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: they are not ids of a vocabulary.
        """
        names = ("vocab_size", "bos_id", "eos_id", "pad_id", "max_length")
        size, bos, eos, pad, longest = (content[name] for name in names)
        lists = [list(content[name]) for name in ("forbidden", "withheld")]
        # Files that were written before there were conditions or pictures do not name them.
        more = [content.get(x, 0) for x in ("labels", "source_vocab", "source_length", "width")]
        ids = [bos, pad, *lists[0], *lists[1], *([] if eos is None else [eos])]
        numbers = [size, longest, *ids, *more]
        if not all(isinstance(x, int) and not isinstance(x, bool) for x in numbers):
            raise TypeError("token ids are whole numbers")
        if not all(0 <= each < size for each in ids) or not 1 <= longest <= LONGEST:
            raise ValueError("ids or lengths are out of range")
        theirs = tuple(content.get("model_ids", ()))
        if theirs and not (len(theirs) == size and all(isinstance(x, int) for x in theirs)):
            raise ValueError("there is not one id of a model for each token")
        if not all(0 <= each <= LONGEST for each in more):
            raise ValueError("numbers of labels, source tokens or columns are out of range")
        found = cls(size, bos, eos, pad, longest, tuple(lists[0]), tuple(lists[1]), *more)
        return found._replace(model_ids=theirs)
