"""A new run in the place of an old one, which is not lost before the new one has begun.

The old run's files wait in a folder within its own. They come back where the new run cannot begin
(its tracker refuses, the disk is full), and are removed once it has begun. A process that is killed
in between leaves them there, and the next run that is to begin in the folder finds them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RunDirectoryError
from .files import ASIDE

__all__ = ["DISCARDED", "REPLACED", "put_back", "replacing"]

REPLACED, DISCARDED = f"{ASIDE}replaced", f"{ASIDE}discarded"


@contextmanager
def replacing(path: Path, last: tuple[str, ...] = ()) -> Iterator[None]:
    """While a new run begins in a folder, what that held is out of the way.

    Args:
        path: the folder; it need not exist.
        last: names that are moved last, and come back first: what makes the folder that of a run.

    Raises:
        RunDirectoryError: the folder cannot be changed.
    """
    existed = path.exists()
    if existed:
        put_back(path)
        try:
            (path / REPLACED).mkdir()
            entries = [entry for entry in path.iterdir() if entry.name != REPLACED]
            for entry in sorted(entries, key=lambda e: (e.name in last, e.name)):
                entry.rename(path / REPLACED / entry.name)
        except OSError as error:
            put_back(path)
            raise RunDirectoryError(f"--output_dir: {path}: {error.strerror}") from None
    try:
        yield
    except BaseException:
        if existed:
            _clear(path)
            put_back(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
        raise
    if existed:
        # In one step, since half of an old run must not come back into a new one.
        (path / REPLACED).rename(path / DISCARDED)
        shutil.rmtree(path / DISCARDED)


def put_back(path: Path) -> None:
    """Puts back what waits in a folder, if anything does; it takes the place of what was new.

    Args:
        path: the folder; it need not exist.

    Raises:
        RunDirectoryError: it cannot be put back; it stays where it waits.
    """
    waiting = path / REPLACED
    if not waiting.is_dir():
        return
    try:
        for entry in waiting.iterdir():
            _remove(path / entry.name)
            entry.rename(path / entry.name)
        waiting.rmdir()
    except OSError as error:
        raise RunDirectoryError(
            f"--output_dir: {path}: the run that it held is in {waiting} and cannot be put back "
            f"({error.strerror}); move its files up by hand"
        ) from None


def _clear(path: Path) -> None:
    """Removes what is new in a folder, as far as that can be done."""
    for entry in path.iterdir():
        if entry.name != REPLACED:
            try:
                _remove(entry)
            except OSError:
                continue  # what came before matters more, and is put back in any case


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
