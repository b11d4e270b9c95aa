"""Tables within README and docs, made again from the results they come from.

Between ``<!-- table: RESULTS/NAME -->`` and ``<!-- /table -->`` stands the table NAME of the folder
of results called RESULTS, or the sentence that it is not yet measured.
"""

from __future__ import annotations

import re
from pathlib import Path

from seqgan.errors import ConfigError, did_you_mean
from seqgan.runs.run_directory import write_text

from .table import Table

__all__ = ["NOTHING", "fill", "named_tables"]

NOTHING = "Not yet measured: no result is committed."
"""Stands where a table is to come."""

BLOCK = re.compile(
    r"^<!-- table: (?P<results>[\w.-]+)/(?P<name>[\w.-]+) -->\n(?P<body>.*?)^<!-- /table -->$",
    re.MULTILINE | re.DOTALL,
)


def named_tables(text: str) -> list[tuple[str, str]]:
    """The (results, name) of the blocks of a page."""
    return [(match["results"], match["name"]) for match in BLOCK.finditer(text)]


def fill(text: str, results: str, tables: list[Table], page: str) -> str:
    """A page with the tables of a results folder made again; others are left as they are.

    Args:
        text: the page.
        results: name of the results folder.
        tables: its tables.
        page: what messages call the page.

    Raises:
        ConfigError: the page has a table that the results do not give.
    """
    known = {table.name: table for table in tables}

    def replaced(match: re.Match[str]) -> str:
        if match["results"] != results:
            return match[0]
        if match["name"] not in known and match["body"].strip() == NOTHING:
            return match[0]
        if match["name"] not in known:
            raise ConfigError(
                f"{page}: the results {results} give no table {match['name']!r}"
                f"{did_you_mean(match['name'], known)}"
            )
        table = known[match["name"]].markdown()
        return f"<!-- table: {results}/{match['name']} -->\n\n{table}\n<!-- /table -->"

    return BLOCK.sub(replaced, text)


def fill_file(path: Path, results: str, tables: list[Table]) -> bool:
    """Fills a page on disk; returns whether it changed."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--pages: {path}: cannot be read ({error})") from None
    filled = fill(text, results, tables, str(path))
    if filled != text:
        write_text(path, filled)
    return filled != text
