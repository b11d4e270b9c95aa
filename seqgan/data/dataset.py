"""A data set: sequences of token ids in four splits, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from rollout import Sequences

from .text.one_line import one_line
from .text.rows import TokenRows
from .text.tokenizers import Tokenizer
from .text.vocabulary import Vocabulary

__all__ = ["Dataset", "Decoder", "Density", "TokenSpec", "fingerprint"]

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
    """

    vocab_size: int
    bos_id: int
    eos_id: int | None
    pad_id: int
    max_length: int
    forbidden: tuple[int, ...]
    withheld: tuple[int, ...] = ()

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
        ids = [bos, pad, *lists[0], *lists[1], *([] if eos is None else [eos])]
        if not all(isinstance(x, int) and not isinstance(x, bool) for x in [size, longest, *ids]):
            raise TypeError("token ids are whole numbers")
        if not all(0 <= each < size for each in ids) or not 1 <= longest <= LONGEST:
            raise ValueError("ids or lengths are out of range")
        return cls(size, bos, eos, pad, longest, tuple(lists[0]), tuple(lists[1]))


class Density(Protocol):
    """A source that knows the probability of every sequence."""

    def log_prob(self, sequences: Sequences) -> Tensor:
        """Log-probability [B] in nats; -inf for what the source never emits."""


@dataclass(frozen=True)
class Decoder:
    """Token ids back into what people read.

    Attributes:
        vocabulary: token strings, or None where tokens are bare ids.
        tokenizer: joins token strings to a line.
        eos_id: the id left out at a sequence's end, or None.
    """

    vocabulary: Vocabulary | None
    tokenizer: Tokenizer
    eos_id: int | None

    def tokens(self, sequences: Sequences) -> list[list[Any]]:
        """The tokens of each sequence without EOS: strings, or ids where there are no strings."""
        rows = sequences.to_lists()
        if self.vocabulary is not None:
            return [self.vocabulary.decode(row) for row in rows]
        if self.eos_id is None:
            return rows
        return [row[:-1] if row and row[-1] == self.eos_id else row for row in rows]

    def rows(self, sequences: Sequences) -> TokenRows:
        """As `tokens`, made when they are read."""
        return TokenRows(
            len(sequences), lambda rows: self.tokens(sequences.select(torch.from_numpy(rows)))
        )

    def texts(self, sequences: Sequences) -> list[str]:
        """Each sequence as one line of text, whatever it holds; see `one_line`."""
        return [
            one_line(self.tokenizer.detokenize([str(token) for token in row]))
            for row in self.tokens(sequences)
        ]


@dataclass(frozen=True)
class Dataset:
    """Sequences of token ids in four splits, and what is known of their source.

    Attributes:
        source: what ``--data`` named.
        train: what generator and discriminator learn from.
        validation: for the choice of checkpoints and temperatures.
        heldout: real sequences that neither model is trained on, to measure the discriminator by.
        test: for the final figures, read once.
        spec: the token ids.
        decoder: ids back to text.
        real_tokens: the tokens of a split ("train", "test", ...) as its source has them, before
            unknown ones were replaced: what n-gram metrics compare with. A list, or something that
            makes them when they are read.
        density: the source's own density, or None.
        report: counts and warnings, as JSON has it.
        report_lines: the same for people.
    """

    source: str
    train: Sequences
    validation: Sequences
    heldout: Sequences
    test: Sequences
    spec: TokenSpec
    decoder: Decoder
    real_tokens: Callable[[str], Sequence[list[Any]]]
    density: Density | None = None
    report: dict[str, Any] = field(default_factory=dict)
    report_lines: list[str] = field(default_factory=list)


def fingerprint(data: Dataset) -> str:
    """A hash of all splits: equal for equal data, settings and seed."""
    digest = hashlib.sha256()
    for name in ("train", "validation", "heldout", "test"):
        split: Sequences = getattr(data, name)
        for part in (split.tokens, split.lengths):
            digest.update(np.ascontiguousarray(part.numpy()).data)
    tokens = data.decoder.vocabulary.tokens if data.decoder.vocabulary is not None else ()
    digest.update(repr(tokens).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]
