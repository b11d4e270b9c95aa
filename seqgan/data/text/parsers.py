"""Formats whose records are not lines: JSON, SMILES files, FASTA. Tables stand in `columns`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Any, NamedTuple

from ...config import ReadingConfig
from ...errors import ConfigError, DataError, did_you_mean
from .streams import Lines

__all__ = [
    "MAX_DOCUMENT",
    "Notes",
    "Record",
    "Source",
    "fasta",
    "json_document",
    "json_lines",
    "smi",
]

MAX_DOCUMENT = 64 * 2**20
"""Most bytes of a JSON document, which is in memory as a whole."""

_SMILES = re.compile(r"(?:\[[^\[\]\s]+\]|Br|Cl|[BCNOPSFIbcnops*]|[-=#$:/\\.~()%0-9])+")


class Record(NamedTuple):
    """One sequence of a file.

    Attributes:
        text: the text, without its line end.
        line_number: the line it begins in, from 1; in a JSON document, its place in the list.
        more: the texts of further columns or fields that were asked for.
    """

    text: str
    line_number: int
    more: tuple[str, ...] = ()


@dataclass
class Notes:
    """Counts of what a file holds besides its sequences.

    Attributes:
        kind: how the file is read.
        stripped: sequences with white space around them, which was left out.
        comments: lines that were skipped as comments.
        header: the first row where it names the columns; "none" where a table has none; None where
            the format has no header.
        listed: if a sequence was a list of tokens, which are then joined by blanks.
    """

    kind: str = "lines"
    stripped: int = 0
    comments: int = 0
    header: str | None = None
    listed: bool = False


@dataclass
class Source:
    """A file that is being read.

    Attributes:
        path: the file.
        stream: its bytes.
        lines: its lines.
        reading: how it is read.
        flags: what the flags of `reading` begin with.
        notes: filled while it is read.
        also: names of further columns or fields to read, by the settings that name them.
    """

    path: str
    stream: IO[bytes]
    lines: Lines
    reading: ReadingConfig
    flags: str
    notes: Notes = field(default_factory=Notes)
    also: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return self.lines.read(self.stream)


def json_lines(source: Source) -> Iterator[Record]:
    """A JSON value per line: an object, a string, or a list of tokens."""
    for line in source:
        number = source.lines.number
        if not line.strip():
            yield Record("", number, ("",) * len(source.also))
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise source.lines.error(f"is not JSON: {error}") from error
        yield _record(source, found, f"{source.path}, line {number}", number)


def json_document(source: Source) -> Iterator[Record]:
    """The elements of one JSON list: objects, strings, or lists of tokens."""
    content = source.stream.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT:
        raise DataError(
            f"{source.path} is a JSON document of more than {MAX_DOCUMENT >> 20} MiB, which would "
            "have to be in memory as a whole: write one JSON value per line into a .jsonl file"
        )
    if not content.removeprefix(b"\xef\xbb\xbf"):
        return
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{source.path} is not UTF-8 (byte {error.start + 1})") from error
    except (ValueError, RecursionError) as error:
        hint = ""
        if "Extra data" in str(error):
            hint = f"; if it holds one JSON value per line, read it so: {source.flags}format jsonl"
        raise DataError(f"{source.path} is not a JSON document: {error}{hint}") from error
    if not isinstance(found, list):
        raise DataError(
            f"{source.path} holds {_kind(found)}, not a list of sequences; write a list, "
            "or one JSON value per line into a .jsonl file"
        )
    if found and all(isinstance(element, int) for element in found):
        raise DataError(
            f"{source.path} holds one list of numbers, which is one sequence; write a list of lists"
        )
    for number, element in enumerate(found, start=1):
        source.lines.number = number
        yield _record(source, element, f"{source.path}, item {number}", number)


def _record(source: Source, found: Any, where: str, number: int) -> Record:
    """The text of a JSON value, and those of its other fields that were asked for."""
    text = _text_of(source, found, where, source.reading.field, "field")
    more = []
    for setting, name in source.also.items():
        if not isinstance(found, dict):
            raise DataError(f"{where}: is no JSON object, so it has no field {name!r}")
        value = found.get(name)
        if isinstance(value, (int, float)):  # a label may be a number or true
            more.append(json.dumps(value))
        else:
            more.append(_text_of(source, found, where, name, setting))
    return Record(text, number, tuple(more))


def _text_of(source: Source, found: Any, where: str, name: str | None, setting: str) -> str:
    """The text of a field of a JSON value; tokens of a list are joined by blanks."""
    what = ""
    if isinstance(found, dict):
        if name is None:
            raise ConfigError(
                f"{where}: name the field that holds the text: {source.flags}field NAME "
                f"(fields: {', '.join(map(str, found))})"
            )
        if name not in found:
            raise DataError(
                f"{where}: has no field {name!r} ({source.flags}{setting})"
                f"{did_you_mean(name, found)}"
            )
        found, what = found[name], f"the field {name!r} "
    elif name is not None:
        raise DataError(f"{where}: is not a JSON object but {type(found).__name__}")
    if isinstance(found, list):
        source.notes.listed = True
        found = " ".join([_token(token, where) for token in found])
    if not isinstance(found, str):
        kind = f"is not a string but {type(found).__name__}"
        raise DataError(f"{where}: {what}{kind}; a sequence is a string or a list of tokens")
    if "\0" in found:
        raise DataError(f"{where}: {what}holds a NUL character")
    try:
        found.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: {what}holds half a surrogate pair, which is no text") from error
    return found


def _token(token: Any, where: str) -> str:
    if isinstance(token, int) and not isinstance(token, bool):
        return str(token)
    if not isinstance(token, str):
        raise DataError(
            f"{where}: a list of tokens holds {_kind(token)}; tokens are strings or whole numbers"
        )
    if not token or token.split() != [token]:
        raise DataError(
            f"{where}: the token {token!r:.40} is empty or holds white space; put another "
            "character in its place"
        )
    return token


def _kind(found: Any) -> str:
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string"}
    return names.get(type(found), repr(found)[:40])


def smi(source: Source) -> Iterator[Record]:
    """The first column of a SMILES file; columns are separated by blanks or tabs.

    Lines that begin with ``#`` are comments. The first of the others is a header where it cannot
    be a SMILES string and the next one can, unless the settings say if there is one.
    """
    rows, ahead = _smi_rows(source), list[tuple[Record, list[str]]]()
    filled = list[tuple[Record, list[str]]]()
    while len(filled) < 2 and (row := next(rows, None)):
        ahead.append(row)
        filled += [row] * bool(row[1])
    header = source.reading.header
    if header is None:
        possible = [_SMILES.fullmatch(record.text) is not None for record, _ in filled]
        header = possible == [False, True]
    header = header and bool(filled)
    source.notes.header = ", ".join(filled[0][1]) if header else "none"
    for row in chain(ahead, rows):
        if not (header and row is filled[0]):
            yield row[0]


def _smi_rows(source: Source) -> Iterator[tuple[Record, list[str]]]:
    """The lines that are no comments, and their columns; none for an empty line."""
    for line in source:
        if line.startswith("#"):
            source.notes.comments += 1
            continue
        columns = line.split()
        yield Record(columns[0] if columns else "", source.lines.number), columns


def fasta(source: Source) -> Iterator[Record]:
    """The sequences of a FASTA file: a line that begins with ``>``, then lines of the sequence."""
    number, parts = 0, list[str]()
    for line in source:
        if line.startswith(">"):
            if number:
                yield Record("".join(parts), number)
            number, parts = source.lines.number, []
        elif line.startswith(";"):
            source.notes.comments += 1
        elif number:
            parts.extend(line.split())
        elif line.strip():
            raise source.lines.error("comes before the first line that begins with '>'")
    if number:
        yield Record("".join(parts), number)
