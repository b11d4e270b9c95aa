"""The public files that suites need: found, checked, and cut to the lines that are used."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgan.config import ReadingConfig
from seqgan.data.text.ranges import copy_range
from seqgan.errors import ConfigError, DataError, did_you_mean

from .reading import check_keys, mapping

if TYPE_CHECKING:
    from .suite import Suite

__all__ = ["DataFile", "Found", "Use", "data_folder", "find_files", "place_files"]

VARIABLE = "SEQGAN_DATA_DIR"
ROLES = ("data", "test_data", "validation_data", "corpus.parameters")


@dataclass(frozen=True)
class DataFile:
    """A public file.

    Attributes:
        name: of the file, within the data folder.
        sha256: its checksum, or None where any content will do.
        source: where it comes from.
        licence: of its content.
        absent: what is done without it; None: nothing can be.
    """

    name: str
    sha256: str | None
    source: str
    licence: str
    absent: str | None = None


@dataclass(frozen=True)
class Use:
    """Contents of a role of the data.

    Attributes:
        file: key of the file.
        lines: first and last record of the file, counted from 1; None: all. A header is none.
    """

    file: str
    lines: tuple[int, int] | None = None


@dataclass(frozen=True)
class Found:
    """The files of a suite on this machine.

    Attributes:
        paths: for each key the path, of those that are there.
        absent: what is done without those that are not.
    """

    paths: dict[str, Path]
    absent: tuple[str, ...]


def data_folder(given: str | None) -> Path | None:
    """The folder of ``--data_dir``, or of the environment's SEQGAN_DATA_DIR, or None.

    Raises:
        ConfigError: the folder is not there.
    """
    name = given or os.environ.get(VARIABLE)
    if not name:
        return None
    if not Path(name).is_dir():
        flag = "--data_dir" if given else VARIABLE
        raise ConfigError(f"{flag}: {name}: no such folder")
    return Path(name)


def find_files(suite: Suite, folder: Path | None) -> Found:
    """The suite's files, each with the right checksum.

    Raises:
        DataError: a file is missing or has another content.
    """
    paths, absent = {}, []
    for key, file in suite.files.items():
        path = None if folder is None else folder / file.name
        if path is not None and path.is_file():
            _check(path, file, suite.name)
            paths[key] = path
        elif file.absent is not None:
            absent.append(file.absent)
        else:
            looked = f"{folder} has none" if folder is not None else "no data folder is given"
            raise DataError(
                f"suite {suite.name} needs the file {file.name} ({file.source}; licence: "
                f"{file.licence}; sha256 {file.sha256}), and {looked}: put it into a folder and "
                f"name that by --data_dir or {VARIABLE}"
            )
    return Found(paths, tuple(absent))


def place_files(
    uses: dict[str, Use], found: Found, work: Path, reading: ReadingConfig
) -> dict[str, str]:
    """For each role of the data a path; files of which only some records are used are cut.

    Args:
        uses: what each role is filled with.
        found: the files.
        work: a folder for the cut ones.
        reading: how the files are read, which says what a record is.

    Raises:
        DataError: a file has fewer records than are used, or cannot be read.
    """
    placed = {}
    for role, use in uses.items():
        if use.file not in found.paths:
            continue
        path = found.paths[use.file]
        if use.lines is not None:
            first, last = use.lines
            path = copy_range(path, work / f"{role}-{first}-{last}", first, last, reading)
        placed[role] = str(path)
    return placed


def described(uses: dict[str, Use], files: dict[str, DataFile], found: Found) -> dict[str, str]:
    """For each role the name of its file, with the lines that are used: for result files."""
    names = {}
    for role, use in uses.items():
        if use.file in found.paths:
            cut = "" if use.lines is None else f", lines {use.lines[0]} to {use.lines[1]}"
            names[role] = files[use.file].name + cut
    return names


def read_files(content: Any, where: str) -> dict[str, DataFile]:
    """The ``files:`` of a suite."""
    files = {}
    for key, value in mapping(content, f"{where}: files").items():
        place = f"{where}: files.{key}"
        entry = mapping(value, place)
        check_keys(entry, ("name", "sha256", "source", "licence", "absent"), place)
        if not isinstance(entry.get("name"), str):
            raise ConfigError(f"{place}: 'name' is missing: the file within the data folder")
        files[str(key)] = DataFile(
            entry["name"],
            entry.get("sha256"),
            str(entry.get("source", "of your own")).strip(),
            str(entry.get("licence", "yours")),
            entry.get("absent"),
        )
    return files


def read_use(content: Any, files: dict[str, DataFile], where: str) -> dict[str, Use]:
    """The ``use:`` of a suite or of one of its sizes."""
    uses = {}
    found = mapping(content, f"{where}: use")
    check_keys(found, ROLES, f"{where}: use")
    for role, value in found.items():
        place = f"{where}: use.{role}"
        entry = mapping(value, place)
        check_keys(entry, ("file", "lines"), place)
        name, lines = str(entry.get("file")), entry.get("lines")
        if name not in files:
            raise ConfigError(f"{place}: no file {name!r} under files{did_you_mean(name, files)}")
        if lines is not None and not _is_range(lines):
            raise ConfigError(f"{place}: lines {lines!r} are not [first, last], counted from 1")
        uses[role] = Use(name, None if lines is None else (lines[0], lines[1]))
    return uses


def _is_range(lines: Any) -> bool:
    whole = isinstance(lines, list) and len(lines) == 2 and all(type(x) is int for x in lines)
    return whole and 1 <= lines[0] <= lines[1]


def _check(path: Path, file: DataFile, suite: str) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if file.sha256 is not None and digest != file.sha256:
        raise DataError(
            f"suite {suite}: {path} is another file than the suite's: sha256 {digest}, expected "
            f"{file.sha256}; get it from {file.source}"
        )
