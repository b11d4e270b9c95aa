"""Imports only point down: three floors, the rooms of `seqgan` in order, and nowhere a cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = ("rollout", "seqgan", "benchmarks")
ROOMS = (
    ("errors", "seeding", "registration"), ("terminal",), ("config",), ("data", "metrics"),
    ("models",), ("rewards",), ("runs",), ("training",), ("evaluation",), ("report",),
    ("methods",), ("pipeline",), ("hub",), ("cli",), ("__main__", "__init__"),
)  # fmt: skip
"""The rooms of `seqgan`, lowest first; those of one line do not know each other."""
HEIGHT = {room: height for height, rooms in enumerate(ROOMS) for room in rooms}


@cache
def modules() -> dict[str, Path]:
    """All modules by name; a package has that of its folder."""
    found = {}
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(name: str) -> dict[str, set[str]]:
    """The modules that a module imports, at any depth of it, each with the names it takes.

    What it imports for type checkers alone is left out: it is never loaded.
    """
    path = modules()[name]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.name, set())
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
            assert node.level <= len(parts), f"{name} imports from outside"
            base = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.setdefault(inner if inner in modules() else source, set()).add(alias.name)
    return found


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _nodes(child)


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_floors_import_only_the_floors_below():
    assert len(modules()) > 200
    for name in modules():
        mine = FLOORS.index(name.split(".")[0])
        for other in imports(name):
            floor = other.split(".")[0]
            assert floor not in FLOORS[mine + 1 :] and floor != "tests", f"{name} imports {other}"


def test_rooms_import_only_the_rooms_below():
    for name in modules():
        if not name.startswith("seqgan"):
            continue
        mine = room(name)
        for other in imports(name):
            if other.startswith("seqgan.") and room(other) != mine:
                assert HEIGHT[room(other)] < HEIGHT[mine], f"{name} imports {other}"


def test_no_import_runs_in_a_circle():
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in imports(name):
                if other in modules() and other != name:
                    visit(other, (*path, name))
            done.add(name)

    for name in modules():
        visit(name, ())


def test_few_modules_stand_at_the_top():
    assert len(list((ROOT / "seqgan").glob("*.py"))) <= 8


def test_the_core_knows_no_files_and_no_command_line():
    heavy = {"pathlib", "json", "yaml", "argparse", "jsonargparse", "rich", "os", "nltk"}
    for name in modules():
        if name.startswith("rollout"):
            assert not {other.split(".")[0] for other in imports(name)} & heavy, name


def test_settings_are_read_without_torch():
    for name in modules():
        if name.startswith("seqgan.config"):
            assert not {other.split(".")[0] for other in imports(name)} & {"torch", "rollout"}, name


def test_files_of_settings_are_small_and_the_loop_is_one_page():
    for path in (ROOT / "seqgan" / "config").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 120, path
    loop = (ROOT / "seqgan" / "training" / "adversarial.py").read_text(encoding="utf-8")
    assert len(loop.splitlines()) < 150
