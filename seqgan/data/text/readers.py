"""Lines of text out of a user's files, one at a time.

A line ends with LF, CRLF or CR and with nothing else: U+2028, U+0085, vertical tabs and form feeds
are part of the text, as they are for other tools that count lines. A byte order mark is not.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from ...errors import ConfigError, DataError, did_you_mean

__all__ = ["MAX_BYTES", "MAX_LINE", "Record", "file_kind", "near_file", "read_lines"]

MAX_LINE = 16 * 2**20
"""Most characters of a line: what lies in memory at once."""

MAX_BYTES = 4 * 2**30
"""Most bytes that a compressed file may hold, so that a few megabytes cannot keep us for hours."""

_KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
_UNREADABLE = {
    ".json": "a JSON document: write one JSON object a line into a .jsonl file",
    ".tsv": "a table with tabs: write a .csv file, or one text a line",
    ".parquet": "a Parquet table: write a .csv file, or one text a line",
    ".xlsx": "a spreadsheet: save it as a .csv file",
    ".zip": "an archive: unpack it",
    ".tar": "an archive: unpack it",
    ".tgz": "an archive: unpack it",
    ".bz2": "compressed by bzip2: unpack it, or use gzip",
    ".xz": "compressed by xz: unpack it, or use gzip",
    ".zst": "compressed by zstd: unpack it, or use gzip",
}


class Record(NamedTuple):
    """One text of a file.

    Attributes:
        text: the text, without its line end.
        line_number: the line it begins in, from 1.
    """

    text: str
    line_number: int


def read_lines(
    path: str | os.PathLike[str],
    *,
    field: str | None = None,
    column: str | None = None,
    max_line: int = MAX_LINE,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Record]:
    """The texts of a file in their order, read as they are asked for.

    The name decides: ``.jsonl`` (or ``.ndjson``) is one JSON object a line, ``.csv`` a table whose
    first row names the columns, anything else one text a line; ``.gz`` after any of them is
    compressed. Empty texts are given as they are, and an empty line of a ``.jsonl`` or ``.csv``
    file is one. A text out of JSON or CSV may hold line ends.

    Args:
        path: the file.
        field: the field of a ``.jsonl`` file that holds the text.
        column: the column of a ``.csv`` file that holds the text.
        max_line: most characters of a line (of a row, in a table).
        max_bytes: most bytes that a ``.gz`` file may hold.

    Yields:
        One `Record` a line, object or row.

    Raises:
        DataError: the file is missing, a folder, not readable, empty, not text in UTF-8, or a line
            is not what it should be; the message names the file and the line.
        ConfigError: `field` or `column` is missing, or given for another kind of file.
    """
    kind = file_kind(path)
    _check_settings(str(path), kind, field, column)
    lines = _Lines(str(path), max_line)
    with _open(path, max_bytes) as stream:
        try:
            if kind == "jsonl":
                assert field is not None
                yield from _json_texts(lines, stream, field)
            elif kind == "csv":
                assert column is not None
                yield from _csv_texts(lines, stream, column)
            else:
                for line in lines.read(stream):
                    yield Record(line, lines.number)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"cannot read {path} after line {lines.number}: {error}") from error
    if lines.number == 0:
        raise DataError(f"{path} is empty")


def file_kind(path: str | os.PathLike[str]) -> str:
    """How a file is read: ``lines``, ``jsonl`` or ``csv``, by its name.

    Raises:
        DataError: the name is that of a file this toolkit does not read.
    """
    plain = Path(path).name.lower().removesuffix(".gz")
    suffix = Path(plain).suffix
    if suffix in _UNREADABLE:
        raise DataError(f"{path} is {_UNREADABLE[suffix]}")
    return _KINDS.get(suffix, "lines")


def _check_settings(path: str, kind: str, field: str | None, column: str | None) -> None:
    wanted = {"jsonl": ("field", field), "csv": ("column", column)}
    for other, (flag, value) in wanted.items():
        if kind == other and not value:
            raise ConfigError(
                f"{path}: name the {flag} that holds the text: --corpus.{flag} NAME"
                + (f" ({flag}s: {_names_in(path, kind)})" if os.path.isfile(path) else "")
            )
        if kind != other and value:
            raise ConfigError(f"--corpus.{flag} {value}: {path} is not a .{other} file")


def _names_in(path: str, kind: str) -> str:
    """The fields or columns that the first line of a file shows, for a message."""
    lines = _Lines(path, MAX_LINE)
    with _open(path, MAX_BYTES) as stream:
        try:
            first = next(lines.read(stream), "")
            if kind == "csv":
                return ", ".join(next(csv.reader([first]), []))
            found = json.loads(first)
        except (OSError, EOFError, zlib.error, csv.Error, ValueError, RecursionError):
            return "?"  # it is said what is wrong with the file once it is clear how to read it
        return ", ".join(map(str, found)) if isinstance(found, dict) else "?"


class _Lines:
    """The lines of a stream, checked and counted.

    Attributes:
        number: the line that was given last, from 1.
    """

    def __init__(self, path: str, max_line: int):
        self.path = path
        self.max_line = max_line
        self.number = 0

    def read(self, stream: IO[bytes]) -> Iterator[str]:
        # Undecodable bytes come through as lone surrogates, which UTF-8 itself never holds; so the
        # line can be named that has them.
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline=None)
        while line := text.readline(self.max_line + 1):
            self.number += 1
            if self.number == 1:
                line = line.removeprefix("\ufeff")
                if not line:
                    self.number = 0
                    return
            yield self._checked(line)

    def error(self, message: str) -> DataError:
        return DataError(f"{self.path}, line {self.number}: {message}")

    def _checked(self, line: str) -> str:
        text = line.removesuffix("\n")
        if not text.isascii():
            _check_utf8(self, text)
        if "\0" in text:
            raise self.error("holds a NUL byte, so the file is not text (UTF-16 or binary?)")
        if len(text) > self.max_line:
            raise self.error(f"is longer than {self.max_line} characters; cut it into lines")
        return text


def _check_utf8(lines: _Lines, text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) & 0xFF
        utf16 = lines.number == 1 and error.start == 0 and byte in (0xFE, 0xFF)
        hint = "UTF-16" if utf16 else "Latin-1"
        raise lines.error(
            f"is not UTF-8 (byte 0x{byte:02x} at character {error.start + 1}); if it is {hint}, "
            f"convert the file: iconv -f {hint} -t UTF-8"
        ) from error


def _json_texts(lines: _Lines, stream: IO[bytes], field: str) -> Iterator[Record]:
    for line in lines.read(stream):
        if not line.strip():
            yield Record("", lines.number)
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise lines.error(f"is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise lines.error(f"is not a JSON object but {type(found).__name__}")
        if field not in found:
            raise lines.error(
                f"has no field {field!r} (--corpus.field){did_you_mean(field, found)}"
            )
        yield Record(_json_text(lines, field, found[field]), lines.number)


def _json_text(lines: _Lines, field: str, text: Any) -> str:
    if not isinstance(text, str):
        raise lines.error(f"the field {field!r} is not a string but {type(text).__name__}")
    if "\0" in text:
        raise lines.error(f"the field {field!r} holds a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise lines.error(
            f"the field {field!r} holds half a surrogate pair, which is no text"
        ) from error
    return text


def _csv_texts(lines: _Lines, stream: IO[bytes], column: str) -> Iterator[Record]:
    rows = _csv_rows(lines, stream)
    header = next(rows, (0, []))[1]
    if not header:
        raise (
            lines.error("is to name the columns, and is empty")
            if lines.number
            else DataError(f"{lines.path} is empty")
        )
    if header.count(column) != 1:
        many = "several columns" if column in header else "no column"
        raise lines.error(
            f"has {many} {column!r} (--corpus.column; columns: {', '.join(header)})"
            f"{did_you_mean(column, header) if column not in header else ''}"
            f"{'; columns are separated by commas' if header[1:] == [] else ''}"
        )
    place = header.index(column)
    count = 0
    for number, row in rows:
        count += 1
        if row and len(row) != len(header):
            raise DataError(
                f"{lines.path}, line {number}: has {len(row)} columns, the header {len(header)}; "
                "a text that holds a comma or a line end stands in double quotes"
            )
        yield Record(row[place] if row else "", number)
    if count == 0:
        raise DataError(f"{lines.path} has a header and no rows")


def _csv_rows(lines: _Lines, stream: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with the line it begins in; [] for an empty line."""
    reader = csv.reader((line + "\n" for line in lines.read(stream)), strict=True)
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
                f"{lines.path}, line {begins}: is no row of a table ({error}); is a double quote "
                "not closed, or not doubled within a text?"
            ) from error
        finally:
            csv.field_size_limit(limit)
        yield begins, row


class _Limited(io.RawIOBase):
    """A stream that fails after so many bytes."""

    def __init__(self, stream: gzip.GzipFile, path: str, max_bytes: int):
        self._stream = stream
        self._path = path
        self._max_bytes = max_bytes
        self._left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"{self._path} holds more than {self._max_bytes} bytes once unpacked; unpack it "
                "yourself if that is as it should be"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _open(path: str | os.PathLike[str], max_bytes: int) -> IO[bytes]:
    place = Path(path)
    try:
        if place.is_dir():
            raise DataError(f"{path} is a folder; name a file in it{_holds_run(place)}")
        if place.name.lower().endswith(".gz"):
            packed = gzip.open(place, "rb")
            return io.BufferedReader(_Limited(packed, str(path), max_bytes), 2**16)
        return place.open("rb")
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}{near_file(place)}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except DataError:
        raise
    except ValueError as error:  # a NUL in the name
        raise DataError(f"cannot read {str(path)!r}: {error}") from error


def _holds_run(folder: Path) -> str:
    """The end of a message about a folder that is a run, and so no data."""
    if not (folder / "config.yaml").is_file():
        return ""
    return f" (it holds a run: seqgan sample {folder}, or seqgan run --resume {folder})"


def near_file(path: Path) -> str:
    """A file of the same folder with a name like this one, for a message."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f": there is no folder {path.parent}" if not path.parent.exists() else ""
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f" (did you mean {str(path.with_name(close[0]))!r}?)" if close else ""
