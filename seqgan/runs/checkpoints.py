"""Checkpoints on disk: folders that appear whole or not at all, and are checked when they are read.

::

    checkpoints/
      step-00001200/  generator.safetensors  generator.json  training.safetensors  state.json
                      SHA256SUMS  (``sha256sum -c`` reads it)
      latest  mle  finetuned    each holds the name of a checkpoint
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import CheckpointError
from .files import write_folder, write_text

__all__ = ["Checkpoints", "checksum", "verify"]

SUMS = "SHA256SUMS"
LATEST = "latest"
_NAME = re.compile(r"step-(\d{8,18})(?:\.(\d{1,6}))?")


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def verify(place: Path) -> None:
    """Checks a checkpoint against its checksums.

    Raises:
        CheckpointError: a file is missing, cut short or changed.
    """
    try:
        # Not `splitlines`, for which a damaged line end may be another line end.
        *lines, rest = (place / SUMS).read_bytes().decode("ascii").split("\n")
        if rest:
            raise CheckpointError(f"{place}: damaged: {SUMS} is cut short")
        named = set()
        for line in lines:
            wanted, _, name = line.partition("  ")
            if Path(name).name != name:
                raise CheckpointError(f"{place}: damaged: {SUMS} names {name!r}")
            if checksum(place / name) != wanted:
                raise CheckpointError(f"{place}: damaged: {name} does not match its checksum")
            named.add(name)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        missing = Path(error.filename).name
        raise CheckpointError(f"{place}: damaged: {missing} is missing") from None
    except CheckpointError:
        raise
    except ValueError:  # a byte that is not ASCII, or NUL in a name
        raise CheckpointError(f"{place}: damaged: {SUMS} cannot be read") from None
    for file in [place / "state.json", *place.iterdir()]:
        if file.name not in named and file.suffix in (".json", ".safetensors"):
            raise CheckpointError(f"{place}: damaged: {SUMS} does not name {file.name}")


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(
        self,
        step: int,
        write: Callable[[Path], None],
        names: tuple[str, ...] = (),
        keep: int = 2,
    ) -> Path:
        """Adds a checkpoint in one step, and removes old ones that have no name.

        Args:
            step: number of gradient steps it stands at.
            write: writes the checkpoint's files into the folder it is given.
            names: what it is from now on besides "latest", e.g. ("mle",).
            keep: how many of the newest are kept besides those with a name.
        """
        self.folder.mkdir(exist_ok=True)
        place = self._free_place(step)

        def write_with_sums(aside: Path) -> None:
            write(aside)
            files = sorted(aside.iterdir())
            write_text(aside / SUMS, "".join(f"{checksum(f)}  {f.name}\n" for f in files))

        write_folder(place, write_with_sums)
        for name in (LATEST, *names):
            write_text(self.folder / name, place.name + "\n")
        named = self._named()
        for old in self.all()[keep:]:
            if old.name not in named:
                shutil.rmtree(old)
        return place

    def named(self, name: str) -> Path:
        """The checkpoint of that name: latest, mle (after pretraining), finetuned (the best).

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        pointer = self.folder / name
        if not pointer.is_file():
            raise CheckpointError(f"{self.folder.parent}: the run has no checkpoint {name!r} yet")
        return self.checked(_pointed(pointer))

    def checked(self, name: str) -> Path:
        """The checkpoint in the folder of that name, e.g. ``step-00001200``.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        place = self.folder / name
        if _NAME.fullmatch(name) is None or not place.is_dir():
            raise CheckpointError(f"{place}: no checkpoint")
        verify(place)
        return place

    def all(self) -> list[Path]:
        """All checkpoints, the newest first, without a look at what they hold."""
        found = [path for path in self.folder.glob("step-*") if _NAME.fullmatch(path.name)]
        return sorted(found, key=_order, reverse=True)

    def newest(self, say: Callable[[str], None]) -> Path | None:
        """The newest checkpoint that is whole; None where there is none.

        Args:
            say: is told of those that are damaged.
        """
        places = self.all()
        pointer = self.folder / LATEST
        if pointer.is_file():  # a stable sort: the latest first, the others stay in their order
            name = _pointed(pointer)
            places.sort(key=lambda place: place.name != name)
        for place in places:
            try:
                verify(place)
            except CheckpointError as error:
                say(f"warning: {error}; an older one is looked for")
            else:
                return place
        return None

    def go_back_to(self, place: Path) -> None:
        """Makes a checkpoint the latest; newer ones, of a way that is not gone on, are removed."""
        write_text(self.folder / LATEST, place.name + "\n")
        for other in self.all():
            if _order(other) > _order(place):
                shutil.rmtree(other)
        for pointer in self._pointers():
            if not (self.folder / _pointed(pointer)).is_dir():
                pointer.unlink()

    def _free_place(self, step: int) -> Path:
        """Two phases of training can stand at the same step: the later has a number behind it."""
        place, number = self.folder / f"step-{step:08d}", 0
        while place.exists():
            number += 1
            place = self.folder / f"step-{step:08d}.{number}"
        return place

    def _pointers(self) -> list[Path]:
        found = self.folder.iterdir()
        return [path for path in found if path.is_file() and not path.name.startswith(".")]

    def _named(self) -> set[str]:
        return {_pointed(pointer) for pointer in self._pointers()}


def _order(place: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(place.name)
    assert match is not None
    return int(match[1]), int(match[2] or 0)


def _pointed(pointer: Path) -> str:
    """The name that a pointer holds; the last part of it, so that it never leads elsewhere."""
    text = pointer.read_bytes().decode("utf-8", "replace").strip()
    return text if _NAME.fullmatch(text) else Path(text.replace("\0", "")).name or "nothing"
