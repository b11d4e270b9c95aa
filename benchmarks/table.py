"""A table: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Table", "as_csv", "markdown_lines", "mean_and_spread"]


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
        lines = markdown_lines(self.columns, self.rows)
        return "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in self.notes)

    def csv(self) -> str:
        """The same cells as CSV."""
        return as_csv([self.columns, *self.rows])


def markdown_lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, the first column left-aligned."""
    content = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in content]


def mean_and_spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean and standard deviation of numbers; of one number, the number."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of cells as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
