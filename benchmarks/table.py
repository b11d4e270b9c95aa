"""A table: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Table", "as_csv"]


@dataclass(frozen=True)
class Table:
    """A table and what has to be said of it.

    Attributes:
        name: of its files.
        title: its heading.
        columns: titles.
        rows: cells as text.
        notes: sentences below it.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]

    def markdown(self) -> str:
        """The table in Markdown, without its heading."""
        rows = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        return "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in self.notes)

    def csv(self) -> str:
        """The same cells as CSV."""
        return as_csv([self.columns, *self.rows])


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
