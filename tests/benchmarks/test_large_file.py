"""The page holds the table of the large file that the committed results give."""

from __future__ import annotations

import json

import pytest

from benchmarks.large_file import COMMANDS, RESULTS, TOKENIZERS, large_table
from benchmarks.molecule_tables import PAGE, filled

ROWS = [
    {"task": task, "tokenizer": tokenizer, "peak_gb": 1.612, "processor_seconds": 1036.4}
    for tokenizer in TOKENIZERS for task in COMMANDS
]  # fmt: skip


def test_the_table_by_hand():
    lines = large_table({"runs": ROWS[:1]}).splitlines()
    assert lines[2:] == ["| `seqgan data` | `smiles` | 1.61 | 1,036 |"]


@pytest.mark.skipif(not RESULTS.is_file(), reason="no result is committed")
def test_the_page_has_the_table():
    table = large_table(json.loads(RESULTS.read_text(encoding="utf-8")))
    page = PAGE.read_text(encoding="utf-8")
    assert table in page and filled(page, {"large": table}) == page
