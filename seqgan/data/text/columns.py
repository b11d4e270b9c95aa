"""Tables: the rows of .csv and .tsv files, their header, and the column that holds the text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain, islice

from ...errors import ConfigError, DataError, did_you_mean
from .parsers import Record, Source

__all__ = ["csv_rows", "is_header", "table", "tsv_rows"]

Row = tuple[int, list[str]]
"""The line that a row begins in, and its cells; no cells for an empty line."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_AHEAD = 50
"""Rows that are compared with the first one, to see if it names the columns."""
_USUAL = frozenset(
    "answer article canonical_smiles caption comment content description document headline id "
    "index isomeric_smiles label lyrics message name poem question review selfies sentence seq "
    "sequence sequences smiles song split summary target text title tokens tweet word words".split()
)


def table(source: Source, rows: Iterator[Row]) -> Iterator[Record]:
    """The texts of the column that the settings name."""
    begins, first = next(rows, (0, []))
    if not first:
        raise (
            source.lines.error("is to name the columns, and is empty")
            if begins
            else DataError(f"{source.path} is empty")
        )
    ahead = list(islice(rows, _AHEAD))
    place, header = _chosen(source, begins, first, [row for _, row in ahead if row])
    others = [
        _other(source, f"{source.path}, line {begins}", first, *each, header=header)
        for each in source.also.items()
    ]
    source.notes.header = ", ".join(first) if header else "none"
    if header and not ahead:
        raise DataError(f"{source.path} has a header and no rows")
    for number, row in chain([] if header else [(begins, first)], ahead, rows):
        if row and len(row) != len(first):
            raise DataError(
                f"{source.path}, line {number}: has {len(row)} columns, the "
                f"{'header' if header else 'first row'} {len(first)}; {_cure(source)}"
            )
        more = tuple(row[other] if row else "" for other in others)
        yield Record(row[place] if row else "", number, more)


def _other(
    source: Source, where: str, first: list[str], setting: str, name: str, *, header: bool
) -> int:
    """The place of a further column: by its name, or by its place in a table without a header."""
    flag = f"{source.flags}{setting}"
    if not header:
        if name.isdecimal() and 1 <= int(name) <= len(first):
            return int(name) - 1
        raise ConfigError(
            f"{flag} {name}: a table without a header has no names; give the place of the column, "
            f"1 to {len(first)}"
        )
    if first.count(name) != 1:
        many = "several columns" if name in first else "no column"
        near = did_you_mean(name, first) if name not in first else ""
        raise DataError(f"{where}: has {many} {name!r} ({flag}; columns: {', '.join(first)}){near}")
    return first.index(name)


def _cure(source: Source) -> str:
    if source.notes.kind == "tsv":
        return "a text that holds a tab or a line end cannot stand in a .tsv file"
    return "a text that holds a comma or a line end stands in double quotes"


def _chosen(
    source: Source, line: int, first: list[str], others: list[list[str]]
) -> tuple[int, bool]:
    """The place of the column that holds the text, from 0, and if the first row is a header."""
    reading, flags, where = source.reading, source.flags, f"{source.path}, line {line}"
    header = is_header(first, others) if reading.header is None else reading.header
    if reading.column is not None:
        return _named(source, where, first), True
    number = reading.column_number
    if number is None:
        if len(first) > 1:
            raise ConfigError(_which(source, first, header))
        number = 1
    if number > len(first):
        many = "1 column" if len(first) == 1 else f"{len(first)} columns"
        raise DataError(f"{where}: has {many}, {flags}column_number is {number}")
    if header is None:
        raise ConfigError(
            f"{where}: does this row name the columns, or is it data ({', '.join(first)[:60]})? "
            f"Give {flags}header true or {flags}header false{_separated(source, first)}"
        )
    return number - 1, header


def _named(source: Source, where: str, first: list[str]) -> int:
    """The place of the column called as the settings say."""
    name, flags = source.reading.column, source.flags
    assert name is not None
    instead = f"{flags}column_number N takes a column by its place"
    if source.reading.header is False:
        raise ConfigError(f"{flags}column {name}: a table without a header has no names; {instead}")
    if _NUMBER.fullmatch(name) and source.reading.header is None:
        possible = name.isdecimal() and 1 <= int(name) <= len(first)
        place = f"{flags}column_number {name} for the place" if possible else instead
        raise ConfigError(
            f"{flags}column {name}: is this the name of a column, or its place? Give {flags}header "
            f"true if the first row ({', '.join(first)[:60]}) names the columns, or {place}"
        )
    if first.count(name) == 1:
        return first.index(name)
    many = "several columns" if name in first else "no column"
    near = did_you_mean(name, first) if name not in first else ""
    raise DataError(
        f"{where}: has {many} {name!r} ({flags}column; columns: {', '.join(first)}){near}"
        f"{_separated(source, first)}; {instead}"
    )


def _separated(source: Source, first: list[str]) -> str:
    """The end of a message about a table that seems to have one column."""
    delimiter = "tabs" if source.notes.kind == "tsv" else "commas"
    return f"; columns are separated by {delimiter}" if len(first) == 1 else ""


def _which(source: Source, first: list[str], header: bool | None) -> str:
    """The question which column holds the text."""
    cells = ", ".join(f"{place} {cell[:30]!r}" for place, cell in enumerate(first, start=1))
    ways = f"{source.flags}column_number N (the first row: {cells})"
    if header is not False:
        ways = f"{source.flags}column NAME (columns: {', '.join(first)}) or {ways}"
    return f"{source.path}: name the column that holds the text: {ways}"


def is_header(first: list[str], others: list[list[str]]) -> bool | None:
    """If the first row of a table names its columns; None where the rows do not show it.

    A row with a number in it is data, and so is one with a cell that comes again in its column. A
    row that has text above nothing but numbers is a header, and so is one with a usual name.

    Args:
        first: the cells of the first row.
        others: those of the next rows.
    """
    cells = [cell.strip() for cell in first]
    if any(map(_NUMBER.fullmatch, cells)):
        return False
    rows = [[cell.strip() for cell in row] for row in others if len(row) == len(first)]
    columns = [[row[place] for row in rows if row[place]] for place in range(len(first))]
    pairs = list(zip(cells, columns, strict=True))
    if any(cell and column and all(map(_NUMBER.fullmatch, column)) for cell, column in pairs):
        return True
    if any(cell in column for cell, column in pairs if cell):
        return False
    return True if any(cell.lower() in _USUAL for cell in cells) else None


def csv_rows(source: Source) -> Iterator[Row]:
    """The rows of a table with commas; a text in double quotes may hold commas and line ends."""
    lines = source.lines
    reader = csv.reader((line + "\n" for line in source), strict=True)
    while True:
        begins = lines.number + 1
        # The limit is one for the whole process; ours holds for one row at a time.
        limit = csv.field_size_limit(lines.max_line)
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{source.path}, line {begins}: is no row of a table ({error}); is a double quote "
                "not closed, or not doubled within a text?"
            ) from error
        finally:
            csv.field_size_limit(limit)
        yield begins, row


def tsv_rows(source: Source) -> Iterator[Row]:
    """The rows of a table with tabs, one per line.

    Double quotes around a cell are left out where those within it are doubled, as programs write
    them that quote; otherwise they are text, as in the many files that never quote.
    """
    for line in source:
        cells = line.split("\t") if line else []
        yield source.lines.number, [_unquoted(cell) for cell in cells]


def _unquoted(cell: str) -> str:
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"':
        return cell
    inner = cell[1:-1].replace('""', "")
    return cell if '"' in inner else cell[1:-1].replace('""', '"')
