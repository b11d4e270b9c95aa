"""Files cut to some of their records, in their own format."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from seqgan.config import ReadingConfig
from seqgan.data.text.ranges import copy_range
from seqgan.data.text.readers import read_lines
from seqgan.errors import DataError

COUNT = 5
TEXTS = [f"C{i}" for i in range(1, COUNT + 1)]
FILES = {
    "a.txt": ("\n".join(TEXTS) + "\n", {}),
    "no-end.txt": ("\n".join(TEXTS), {}),
    "cr.txt": ("\r".join(TEXTS), {}),
    "a.txt.gz": ("\ufeff" + "\r\n".join(TEXTS), {}),
    "a.jsonl": ("".join(json.dumps({"t": text}) + "\n" for text in TEXTS), {"field": "t"}),
    "a.json": (json.dumps([{"t": text} for text in TEXTS]), {"field": "t"}),
    "b.dat": (json.dumps([{"t": text} for text in TEXTS]), {"format": "json", "field": "t"}),
    "a.TXT.GZ": ("\n".join(TEXTS), {}),
    "a.csv": ("id,t\n" + "".join(f'1,"{text}\n"\n' for text in TEXTS), {"column": "t"}),
    "b.csv.gz": ("".join(f"1,{text}\n" for text in TEXTS), {"column_number": 2}),
    "a.tsv": ("id\tt\n" + "".join(f"1\t{text}\n" for text in TEXTS), {"column": "t"}),
    "a.smi": ("# a comment\nSMILES ID\n" + "".join(f"{text} x\n" for text in TEXTS), {}),
    "a.fasta": ("".join(f">x\n{text[0]}\n{text[1]}\n" for text in TEXTS), {}),
    "a.dat": ("t,u\n" + "".join(f"{text},x\n" for text in TEXTS), {"format": "csv", "column": "t"}),
}


@pytest.fixture(params=FILES)
def file(request, tmp_path):
    content, settings = FILES[request.param]
    path = tmp_path / request.param
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix.lower() == ".gz" else data)
    return path, ReadingConfig(**settings)


@pytest.mark.parametrize(("first", "last"), [(1, COUNT), (2, 4), (COUNT, COUNT), (1, 1)])
def test_records_are_counted_not_lines_or_bytes(file, tmp_path, first, last):
    path, reading = file
    copy = copy_range(path, tmp_path / "cut-1.5", first, last, reading)
    found = [record.text for record in read_lines(copy, reading)]
    assert found == TEXTS[first - 1 : last]


def test_a_range_beyond_the_file_is_an_error(file, tmp_path):
    path, reading = file
    with pytest.raises(
        DataError, match=f"{re.escape(str(path))}: {COUNT} records, and 2 to {COUNT + 1} are asked"
    ):
        copy_range(path, tmp_path / "cut", 2, COUNT + 1, reading)
    assert not list(tmp_path.glob("cut*"))
