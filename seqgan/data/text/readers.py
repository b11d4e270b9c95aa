"""The sequences of a user's file as texts, one at a time, whatever the format."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...config import ReadingConfig
from ...errors import ConfigError, DataError
from .columns import csv_rows, table, tsv_rows
from .one_line import read_line
from .parsers import Notes, Record, Source, fasta, json_document, json_lines, smi
from .streams import MAX_BYTES, MAX_LINE, Lines, near_file, open_file

__all__ = [
    "MAX_BYTES",
    "MAX_LINE",
    "Notes",
    "Record",
    "check_used",
    "file_kind",
    "fitting",
    "near_file",
    "plain_lines",
    "read_lines",
]

FLAGS = "--corpus."
"""The default prefix of the flags of a `ReadingConfig`."""

_KINDS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv",
    ".tab": "tsv", ".smi": "smi", ".smiles": "smi", ".ism": "smi", ".fasta": "fasta",
    ".fa": "fasta", ".faa": "fasta", ".fna": "fasta", ".ffn": "fasta",
}  # fmt: skip
_UNREADABLE = {
    ".parquet": "a Parquet table: write a .csv file, or one text per line",
    ".xlsx": "a spreadsheet: save it as a .csv file",
    ".zip": "an archive: unpack it",
    ".tar": "an archive: unpack it",
    ".tgz": "an archive: unpack it",
    ".bz2": "compressed by bzip2: unpack it, or use gzip",
    ".xz": "compressed by xz: unpack it, or use gzip",
    ".zst": "compressed by zstd: unpack it, or use gzip",
}
_USED = {
    "field": ("jsonl", "json"),
    "column": ("csv", "tsv"),
    "column_number": ("csv", "tsv"),
    "header": ("csv", "tsv", "smi"),
}
"""The settings that some formats alone have."""
_FIELDS = ("jsonl", "json", "csv", "tsv")
"""The formats whose records have several parts."""


def read_lines(
    path: str | os.PathLike[str],
    reading: ReadingConfig | None = None,
    *,
    notes: Notes | None = None,
    flags: str = FLAGS,
    max_line: int = MAX_LINE,
    max_bytes: int = MAX_BYTES,
    also: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """The sequences of a file in their order, read as they are asked for.

    Empty ones are given too: an empty line is one in every format but FASTA and JSON documents.
    White space around a sequence is left out unless ``reading.strip`` is False. The symbols that
    `one_line` writes are read in a file of lines; texts of other formats may hold line ends.

    Args:
        path: the file.
        reading: its format, and which part of a record is the sequence.
        notes: is filled with what was met besides the sequences.
        flags: how the flags of `reading` begin, for messages.
        max_line: most characters of a line (of a row, in a table).
        max_bytes: most bytes that a ``.gz`` file may hold.
        also: names of further columns or fields, by the settings that name them.

    Yields:
        A `Record` per sequence.

    Raises:
        DataError: the file is missing, a folder, not readable, empty, not text in UTF-8, or a line
            is not what it should be; the message names the file and the line.
        ConfigError: a setting is missing, or is given for another format.
    """
    reading = reading or ReadingConfig()
    kind = file_kind(path, reading.format)
    check_used([path], reading, flags)
    for setting, name in (also or {}).items():
        if kind not in _FIELDS:
            raise ConfigError(
                f"{flags}{setting} {name}: {path} is read as {kind}; it has to be a .csv or .tsv "
                "file with such a column, or a .jsonl or .json file with such a field"
            )
    lines = Lines(str(path), max_line)
    notes = notes or Notes()
    notes.kind = kind
    found = False
    with open_file(path, max_bytes) as stream:
        try:
            source = Source(str(path), stream, lines, reading, flags, notes, also or {})
            for text, number, more in _records(source):
                whole, found = text, True
                if reading.strip:
                    text = text.strip()
                    notes.stripped += len(text) < len(whole)
                yield Record(read_line(text) if kind == "lines" else text, number, more)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"cannot read {path} after line {lines.number}: {error}") from error
    if not found:
        raise DataError(f"{path} " + ("holds no sequence" if lines.number else "is empty"))


def plain_lines(path: str | os.PathLike[str], flag: str) -> list[str]:
    """The texts of a file, for a command that has no settings of how a file is read.

    Args:
        path: the file.
        flag: what named it, for messages.

    Raises:
        DataError: as of `read_lines`, or the file holds records of several parts.
    """
    kind = file_kind(path)
    if kind in _FIELDS:
        raise DataError(f"{flag}: {path} is read as {kind}; give a file with one text per line")
    return [record.text for record in read_lines(path)]


def _records(source: Source) -> Iterable[Record]:
    """The records of a file as its format has them."""
    match source.notes.kind:
        case "jsonl":
            return json_lines(source)
        case "json":
            return json_document(source)
        case "csv":
            return table(source, csv_rows(source))
        case "tsv":
            return table(source, tsv_rows(source))
        case "smi":
            return smi(source)
        case "fasta":
            return fasta(source)
    return (Record(line, source.lines.number) for line in source)


def file_kind(path: str | os.PathLike[str], declared: str = "auto") -> str:
    """The format of a file: the declared one, or what its name says; ``lines`` for other names.

    Raises:
        DataError: the name is that of a file this toolkit does not read.
    """
    if declared != "auto":
        return declared
    plain = Path(path).name.lower().removesuffix(".gz")
    suffix = Path(plain).suffix
    if suffix in _UNREADABLE:
        raise DataError(f"{path} is {_UNREADABLE[suffix]}")
    return _KINDS.get(suffix, "lines")


def check_used(
    paths: Iterable[str | os.PathLike[str]], reading: ReadingConfig, flags: str = FLAGS
) -> None:
    """Refuses a setting that none of the files has a use for.

    Raises:
        ConfigError: there is such a setting.
    """
    named = [str(path) for path in paths]
    kinds = {file_kind(path, reading.format) for path in named}
    for name, using in _USED.items():
        value = getattr(reading, name)
        if value is not None and kinds.isdisjoint(using):
            kind = " or ".join(f".{each}" for each in using)
            raise ConfigError(
                f"{flags}{name} {value}: no {kind} file was given, only {', '.join(named)}"
                + ("" if reading.format == "auto" else f" as {flags}format {reading.format}")
            )


def fitting(reading: ReadingConfig, path: str | os.PathLike[str]) -> ReadingConfig:
    """The settings without those that this one of several files has no use for."""
    kind = file_kind(path, reading.format)
    settings: dict[str, Any] = {
        each.name: getattr(reading, each.name) for each in fields(ReadingConfig)
    }
    settings |= {name: None for name, using in _USED.items() if kind not in using}
    return ReadingConfig(**settings)
