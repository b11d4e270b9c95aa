"""Codecs of lines of text, and of tokens that are bare numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from rollout import Sequences

from ..errors import DataError
from .spec import TokenSpec
from .text.rows import TokenRows
from .text.tokenizers import Tokenizer

__all__ = ["IdCodec", "LineCodec"]


class LineCodec:
    """Methods that codecs of lines of text share."""

    suffix: ClassVar[str] = ".txt"
    spec: TokenSpec

    def tokens(self, sequences: Sequences) -> list[list[Hashable]]:
        """The tokens of each sequence without EOS."""
        raise NotImplementedError

    def line(self, tokens: Sequence[Any]) -> str:
        """The line of text that tokens make."""
        raise NotImplementedError

    def rows(self, sequences: Sequences) -> TokenRows:
        """As `tokens`, made when they are read."""
        return TokenRows(
            len(sequences), lambda rows: self.tokens(sequences.select(torch.from_numpy(rows)))
        )

    def texts(self, sequences: Sequences) -> list[str]:
        """Each sequence as one line of text, whatever it holds; see `one_line`."""
        return [self.line(row) for row in self.tokens(sequences)]

    def show(self, sequences: Sequences, place: Path) -> Path:
        """Writes a text file with one sequence per line."""
        file = place.with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in self.texts(sequences)), encoding="utf-8")
        return file

    def picture(self, sequences: Sequences) -> bytes | None:
        """None: they are read as text."""
        return None


class IdCodec(LineCodec):
    """Tokens that are bare numbers.

    Args:
        spec: the token ids.
    """

    kind: ClassVar[str] = "ids"

    def __init__(self, spec: TokenSpec):
        self.spec = spec
        self.cut = "spaces"
        self.unknown: str | None = None
        self.unknown_ids: tuple[int, ...] = ()

    def encode(self, text: str) -> list[int]:
        """The numbers of a text, without EOS."""
        tokens = text.split()
        bad = [token for token in tokens if not token.isdecimal() or self.lacks([int(token)])]
        if bad:
            raise DataError(f"{bad[0]!r} is not a number from 0 to {self.spec.vocab_size - 1}")
        return [int(token) for token in tokens]

    def pieces(self, text: str) -> list[Hashable]:
        """The numbers of a text."""
        return list(self.encode(text))

    def tokens(self, sequences: Sequences) -> list[list[Hashable]]:
        """The ids of each sequence without EOS."""
        eos = self.spec.eos_id
        rows = sequences.to_lists()
        return [list(row[:-1] if eos is not None and row[-1:] == [eos] else row) for row in rows]

    def line(self, tokens: Sequence[Any]) -> str:
        """The numbers, blanks between them."""
        return " ".join(str(token) for token in tokens)

    def lacks(self, tokens: Sequence[Any]) -> list[Any]:
        """The numbers that are no ids."""
        return [token for token in tokens if not 0 <= token < self.spec.vocab_size]

    def fingerprint(self) -> str:
        """The number of ids."""
        return f"ids-{self.spec.vocab_size}"

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes nothing: the ids are all there is."""
        return {}

    @classmethod
    def load(
        cls, folder: Path, spec: TokenSpec, content: Mapping[str, Any], tokenizer: Tokenizer | None
    ) -> IdCodec:
        """The codec of the ids of `spec`."""
        return cls(spec)
