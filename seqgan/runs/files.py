"""Files that appear whole or not at all: written beside their place, and renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["ASIDE", "sync_folder", "write_bytes", "write_folder", "write_json", "write_text"]

ASIDE = ".writing-"
"""First characters of a folder's name while it is written."""


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one step: readers see the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on nothing
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes JSON in one step; NaN and infinity are refused, since they are not JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_folder(place: Path, write: Callable[[Path], None]) -> None:
    """Makes a folder of files that appears whole or not at all, as `write_bytes` does for a file.

    Args:
        place: where it will be; nothing may be there.
        write: writes the files into the folder it is given.
    """
    aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=ASIDE))
    try:
        write(aside)
        for file in aside.iterdir():
            _sync(file)
        os.chmod(aside, 0o755)
        os.rename(aside, place)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder safe on the disk, where the system can do that."""
    if os.name != "nt":
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
