"""Three floors: imports only point down, benchmarks -> seqgan -> rollout."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABOVE = {"rollout": {"seqgan", "benchmarks"}, "seqgan": {"benchmarks"}}


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, at any depth of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            depth = len(path.relative_to(ROOT).parts) - 1
            if node.level > depth:
                found.add("outside")
            elif node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("floor", list(ABOVE))
def test_imports_point_down(floor):
    files = sorted((ROOT / floor).rglob("*.py"))
    assert len(files) > 5
    for path in files:
        above = imported(path) & (ABOVE[floor] | {"outside", "tests"})
        assert not above, f"{path.relative_to(ROOT)} imports {sorted(above)}"


def test_the_core_knows_no_files_and_no_command_line():
    heavy = {"pathlib", "json", "yaml", "argparse", "jsonargparse", "rich", "os", "nltk"}
    for path in (ROOT / "rollout").rglob("*.py"):
        assert not imported(path) & heavy, path
