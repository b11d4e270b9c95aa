"""The command ``seqgan methods``: what ``seqgan run --method`` can do."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml
from rich.console import Console

from ..config import MethodsConfig
from ..config.methods import Method, method_names, method_results, read_method
from ..terminal import say

__all__ = ["methods", "outcome"]


def methods(settings: MethodsConfig, console: Console) -> int:
    """``seqgan methods``."""
    found = method_results()
    if settings.method is not None:
        method = read_method(settings.method)
        rows = found.get(method.name, [])
        _say_all(console, [*_lines(method, rows), *_changes(rows)])
        say(console, "")
        say(console, textwrap.fill(" ".join(method.about.split()), 88))
        chosen = yaml.safe_dump(dict(method.settings), sort_keys=False, default_flow_style=None)
        _say_all(console, ["", *chosen.splitlines(), "", f"seqgan run --method {method.name}"])
        return 0
    for name in method_names():
        _say_all(console, _lines(read_method(name), found.get(name, [])))
    say(console, "")
    say(console, "seqgan methods NAME shows one with its settings.")
    return 0


def outcome(rows: list[dict[str, Any]]) -> str:
    """The verdicts of a method's benchmarks in one line; "not run" without any.

    Args:
        rows: of the method, as `method_results` has them.
    """
    if not rows:
        return "not run"
    said = (f"{row['label']} on {row['suite']} ({len(row['seeds'])} seeds)" for row in rows)
    return "; ".join(said)


def _lines(method: Method, rows: list[dict[str, Any]]) -> list[str]:
    """A method in three lines at most."""
    year = "" if method.year is None else f", {method.year}"
    lines = [f"{method.name}{year}: {method.title}"]
    if method.paper:
        lines.append(f"    {method.paper} {method.link}".rstrip())
    return [*lines, f"    our table: {outcome(rows)}"]


def _changes(rows: list[dict[str, Any]]) -> list[str]:
    """The settings that a method was measured with, if they are not its own."""
    return [
        f"    measured on {row['suite']} with (its own in brackets): {', '.join(row['changed'])}"
        for row in rows
        if row["changed"]
    ]


def _say_all(console: Console, lines: list[str]) -> None:
    for line in lines:
        say(console, line)
