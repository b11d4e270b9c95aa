"""The files of a suite, cut to the records that are used."""

from __future__ import annotations

import gzip
import json

import pytest

from benchmarks.cell import CellJob, run_cell
from benchmarks.files import Found, Use, place_files
from benchmarks.results import CellPlace
from benchmarks.suite_files import load_suite
from seqgan.config import ReadingConfig
from seqgan.data.text.readers import read_lines
from seqgan.errors import DataError

TEXTS = [f"word{i} is w{i % 3}" for i in range(1, 7)]


@pytest.fixture
def found(tmp_path):
    packed, table = tmp_path / "a.txt.gz", tmp_path / "b.csv"
    packed.write_bytes(gzip.compress("\n".join(TEXTS).encode()))
    table.write_text("text,n\n" + "".join(f'"{text}\n",1\n' for text in TEXTS))
    return Found({"packed": packed, "table": table}, ())


def test_lines_are_records(found, tmp_path):
    uses = {"data": Use("packed", (1, 4)), "test_data": Use("table", (2, 6)),
            "validation_data": Use("packed")}  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    placed = place_files(uses, found, work, ReadingConfig(column="text"))
    assert [record.text for record in read_lines(placed["data"])] == TEXTS[:4]
    cut = read_lines(placed["test_data"], ReadingConfig(column="text"))
    assert [record.text for record in cut] == TEXTS[1:]
    assert placed["validation_data"] == str(found.paths["packed"])


@pytest.mark.parametrize(("key", "settings"), [("packed", {}), ("table", {"column": "text"})])
def test_a_range_beyond_the_file_is_an_error(found, tmp_path, key, settings):
    with pytest.raises(DataError, match="6 records, and 3 to 7 are asked for"):
        place_files({"data": Use(key, (3, 7))}, found, tmp_path, ReadingConfig(**settings))


def test_a_cell_on_some_records_of_a_packed_file(tmp_path, monkeypatch):
    """The cell's data are those records; what comes then costs time."""
    with gzip.open(tmp_path / "lines.txt.gz", "wt") as stream:
        stream.writelines(f"word{i} is w{i % 7} and v{i % 5}\n" for i in range(300))
    suite = tmp_path / "packed.yaml"
    suite.write_text(json.dumps({
        "config": {"corpus": {"tokenizer": "words", "min_count": 1}},
        "files": {"text": {"name": "lines.txt.gz"}},
        "use": {"data": {"file": "text", "lines": [1, 200]}},
    }))  # fmt: skip
    seen = []

    class Stop(Exception):
        pass

    def lab(config, data, *_):
        seen.append(data.report["files"][0])
        raise Stop

    monkeypatch.setattr("benchmarks.cell.Lab", lab)
    place = CellPlace(tmp_path / "out", "packed", "smoke", 0)
    with pytest.raises(Stop):
        run_cell(CellJob(load_suite(str(suite)), place, tmp_path, 1, ["a command"]))
    assert (seen[0]["lines"], seen[0]["unit"]) == (200, "lines")
