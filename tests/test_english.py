"""The prose of the code: docstrings open with a verb or a noun, never with a clause."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLAUSES = {
    "what", "where", "whether", "those", "how", "which", "who", "when", "why", "that",
}  # fmt: skip


def openings(path: Path) -> list[tuple[int, str]]:
    """The line and the first word of every docstring, those of attributes included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        text = node.value.value
        if isinstance(text, str) and text.split():
            found.append((node.lineno, text.split()[0].strip(".,:;`'\"").lower()))
    return found


@pytest.mark.parametrize("floor", ["rollout", "seqgan", "benchmarks"])
def test_docstrings_open_with_a_verb_or_a_noun(floor):
    files = sorted((ROOT / floor).rglob("*.py"))
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {word}"
        for path in files
        for line, word in openings(path)
        if word in CLAUSES
    ]
    assert files and not wrong, "\n".join(wrong)


def test_the_search_finds_them(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        '"""A file."""\nx = 1\n"""Where it is."""\n\n\ndef f():\n    """What it does."""\n'
    )
    assert openings(path) == [(1, "a"), (3, "where"), (7, "what")]
