"""Errors of arms and cells: one line each, the traceback in a file, and the others continue."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from seqgan.errors import SeqganError
from seqgan.runs.run_directory import write_text

from .results import CellPlace

__all__ = ["CellError", "failed", "forget"]

LONGEST = 300
"""Most characters of an error's own message that are shown."""


class CellError(SeqganError):
    """Arms failed; the others are done.

    Attributes:
        lines: a line for each failure.
    """

    def __init__(self, lines: list[str]):
        rest = f" (and {len(lines) - 1} more failed)" if len(lines) > 1 else ""
        super().__init__(lines[0] + rest)
        self.lines = lines


def failed(place: CellPlace, arm: str | None, error: Exception) -> str:
    """Shows one line about an error, keeps its traceback, and returns the line.

    Args:
        place: of the cell.
        arm: name of the arm that failed; None: the whole cell.
        error: what was raised.
    """
    said = " ".join(str(error).split())
    said = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
    kind = "" if isinstance(error, SeqganError) else f"{type(error).__name__}: "
    where = f"{place}: {arm}" if arm else str(place)
    line = f"{where}: {kind}{said}".rstrip(": ")
    if arm or kind:  # what is wrong with a whole cell's settings or files is said in full
        line += _kept(_file(place, arm), error)
    print(f"failed: {line}", file=sys.stderr, flush=True)
    return line


def forget(place: CellPlace, arm: str | None = None) -> None:
    """Removes the traceback of an earlier attempt."""
    _file(place, arm).unlink(missing_ok=True)


def _file(place: CellPlace, arm: str | None) -> Path:
    return place.folder / (f"{arm}.error.txt" if arm else "error.txt")


def _kept(path: Path, error: Exception) -> str:
    """Writes the traceback; the end of the line says where it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(traceback.format_exception(error)))
    except OSError as refused:
        return f" (the traceback cannot be written to {path}: {refused.strerror})"
    return f" (traceback: {path})"
