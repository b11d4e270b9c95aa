"""A look at the first sequences of a file, for signs that it is read in the wrong way."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

__all__ = ["CUTTING_AT_BLANKS", "Glance", "is_uncut", "uncut_share"]

CUTTING_AT_BLANKS = ("words", "spaces")
"""The tokenizers that need blanks in a text."""

_LOOKED_AT = 1_000
_LONGEST = 1_000
"""Characters of a text that are looked at."""
_WITHOUT_BLANKS = (
    "CJK ",
    "HIRAGANA",
    "KATAKANA",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
    "TIBETAN ",
)
"""Beginnings of the names of characters of scripts that put no blanks between words."""
_LONG_PIECE = 4
_ENOUGH = 5
_FILLED = 0.5
_ONE_LENGTH = 0.95
_LONG_RUN = 4


def is_uncut(text: str) -> bool:
    """If a tokenizer that cuts at blanks cannot cut a text.

    It holds no blank, or most of it is in a script without blanks between words and its pieces are
    longer than words are (text that was cut before, such as characters with blanks between them,
    has short ones).
    """
    pieces = text[:_LONGEST].split()
    if len(pieces) < 2:
        return len(text.strip()) > 1
    characters = "".join(pieces)
    if characters.isascii() or len(characters) <= _LONG_PIECE * len(pieces):
        return False
    found = sum(unicodedata.name(each, "").startswith(_WITHOUT_BLANKS) for each in characters)
    return found > len(characters) / 2


def uncut_share(texts: Iterable[str]) -> float:
    """The share of the first texts that `is_uncut` finds; empty ones do not count."""
    glance = Glance()
    for text in texts:
        glance.add(text, [])
        if glance.full:
            break
    return glance.uncut


class Glance:
    """Facts about the first thousand sequences of a file."""

    def __init__(self) -> None:
        self._count = self._uncut = 0
        self._lengths, self._lasts = Counter[int](), Counter[str]()
        self._runs, self._inside = Counter[str](), Counter[str]()

    @property
    def full(self) -> bool:
        """If enough sequences were looked at."""
        return self._count >= _LOOKED_AT

    @property
    def uncut(self) -> float:
        """The share of texts that a tokenizer which cuts at blanks cannot cut."""
        return self._uncut / self._count if self._count else 0.0

    def add(self, text: str, tokens: list[str]) -> None:
        """Looks at one sequence: its text and its tokens."""
        if not text:
            return
        self._count += 1
        self._uncut += is_uncut(text)
        self._lengths[len(tokens)] += 1
        if len(tokens) < 2 or tokens[-1] != tokens[-2]:
            return
        last, run = tokens[-1], 2
        while run < len(tokens) and tokens[-1 - run] == last:
            run += 1
        self._lasts[last] += 1
        self._runs[last] += run
        self._inside[last] += tokens.count(last) - run

    def padding(self) -> str | None:
        """The token that seems to fill up most sequences; None where there is none.

        It is the last token, two times or more, of more than half of the sequences (of five or
        more that were looked at), and either all
        sequences have one length, or it comes in long runs and nowhere else.
        """
        if not self._lasts or self._count < _ENOUGH:
            return None
        ((token, count),) = self._lasts.most_common(1)
        if count <= _FILLED * self._count:
            return None
        one_length = max(self._lengths.values()) >= _ONE_LENGTH * self._count
        long_runs = self._runs[token] >= _LONG_RUN * count and not self._inside[token]
        return token if one_length or long_runs else None
