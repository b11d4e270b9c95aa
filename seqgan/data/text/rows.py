"""Token lists that are made when they are read.

The tokens of a million sequences as Python lists take ten times the memory of their numbers, so
whoever needs them all reads them one after the other, and whoever needs some asks for those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

__all__ = ["TokenRows", "chosen_rows"]

Rows = npt.NDArray[np.int64]

READ = 10_000
"""Sequences that are read at a time."""


class TokenRows(Sequence[list[Any]]):
    """The tokens of N sequences, read when they are asked for; nothing is kept.

    Args:
        count: N.
        read: the token lists of the sequences of some numbers, int64 [R].
    """

    def __init__(self, count: int, read: Callable[[Rows], list[list[Any]]]):
        self._rows, self.read = range(count), read

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> list[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Any]]: ...
    def __getitem__(self, index: int | slice) -> list[Any] | list[list[Any]]:
        found = self._rows[index]
        if isinstance(found, int):
            return self.read(np.array([found]))[0]
        return self.read(np.array(found, dtype=np.int64))

    def __iter__(self) -> Iterator[list[Any]]:
        for start in range(0, len(self), READ):
            yield from self[start : start + READ]


def chosen_rows(tokens: Sequence[list[Any]], rows: Sequence[int] | Rows) -> list[list[Any]]:
    """The token lists of the sequences `rows`, in that order."""
    if isinstance(tokens, TokenRows):
        return tokens.read(np.asarray(rows, dtype=np.int64))
    return [tokens[row] for row in rows]
