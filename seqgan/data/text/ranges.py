"""A file cut to some of its records, in the file's own format."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from ...config import ReadingConfig
from ...errors import DataError
from .readers import file_kind, fitting, read_lines
from .streams import MAX_BYTES, MAX_LINE, Lines, open_file

__all__ = ["copy_range"]


def copy_range(
    path: str | os.PathLike[str], stem: Path, first: int, last: int, reading: ReadingConfig
) -> Path:
    """Writes a file with some records of another one, which is read with the same settings.

    What stands before the first record (a header, comments) is kept. The copy is not packed.

    Args:
        path: the file.
        stem: the copy's path without a suffix.
        first: the first record, counted from 1.
        last: the last record.
        reading: how the file is read.

    Returns:
        The copy's path.

    Raises:
        DataError: the file has fewer records, or cannot be read.
        ConfigError: as `read_lines`.
    """
    reading = fitting(reading, path)
    count, begins = 0, dict[int, int]()  # the lines in which the records of interest begin
    for count, record in enumerate(read_lines(path, reading), start=1):
        if count in (1, first, last + 1):
            begins[count] = record.line_number
    if last > count:
        raise DataError(f"{path}: {count:,} records, and {first:,} to {last:,} are asked for")
    name = Path(path)
    suffix = Path(name.stem).suffix if name.suffix.lower() == ".gz" else name.suffix
    target = stem.with_name(stem.name + suffix)
    if file_kind(path, reading.format) == "json":
        return _copy_items(path, target, first, last)
    head, begin = begins[1], begins[first]
    end = begins.get(last + 1, math.inf)
    lines = Lines(str(path), MAX_LINE)
    with open_file(path, MAX_BYTES) as stream, target.open("w", encoding="utf-8") as out:
        for line in lines.read(stream):
            if lines.number < head or begin <= lines.number < end:
                out.write(line + "\n")
    return target


def _copy_items(path: str | os.PathLike[str], target: Path, first: int, last: int) -> Path:
    with open_file(path, MAX_BYTES) as stream:
        items = json.loads(stream.read().decode("utf-8-sig"))[first - 1 : last]
    target.write_text(json.dumps(items), encoding="utf-8")
    return target
