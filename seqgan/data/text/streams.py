"""Files of text as checked lines: opened, unpacked, decoded, counted.

A line ends with LF, CRLF or CR and with nothing else: U+2028, U+0085, vertical tabs and form feeds
are part of the text, as they are for other tools that count lines. A byte order mark is not.
"""

from __future__ import annotations

import difflib
import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ...errors import DataError

__all__ = ["MAX_BYTES", "MAX_LINE", "Lines", "near_file", "open_file"]

MAX_LINE = 16 * 2**20
"""Most characters of a line: what lies in memory at once."""

MAX_BYTES = 4 * 2**30
"""Most bytes that a compressed file may hold, so that a few megabytes cannot keep us for hours."""


class Lines:
    """The lines of a stream, checked and counted.

    Args:
        path: the file, for messages.
        max_line: most characters of a line.

    Attributes:
        number: the line that was given last, from 1.
    """

    def __init__(self, path: str, max_line: int):
        self.path = path
        self.max_line = max_line
        self.number = 0

    def read(self, stream: IO[bytes]) -> Iterator[str]:
        """The lines without their ends.

        Raises:
            DataError: a line is not UTF-8, holds a NUL, or is too long.
        """
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
        """An error that names the file and the line given last."""
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


def _check_utf8(lines: Lines, text: str) -> None:
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


def open_file(path: str | os.PathLike[str], max_bytes: int) -> IO[bytes]:
    """The bytes of a file, unpacked where its name ends in .gz.

    Args:
        path: the file.
        max_bytes: most bytes that a .gz file may hold.

    Raises:
        DataError: it is missing, a folder, or cannot be read.
    """
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
