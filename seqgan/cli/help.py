"""Help of a command: its settings in groups, the rare ones on request."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import MISSING
from types import UnionType
from typing import Any, Union, get_args, get_origin

from ..config.describe import Setting
from ..config.settings import Settings
from .arguments import Words

__all__ = ["help_text"]

INDENT = 8
LEAST = 30
"""Room for a description beside a flag, below which it begins on a line of its own."""
NAMES = {"int": "N", "float": "X", "bool": "true|false", "str": "TEXT"}


def help_text(
    program: str,
    kind: type[Settings],
    shown: list[Setting],
    words: Words,
    example: str,
    everything: bool = False,
) -> str:
    """The help of a command, for a terminal of this width.

    Args:
        program: the command's name.
        kind: its dataclass of settings.
        shown: the settings that the chosen components have.
        words: the arguments that it takes without a flag.
        example: of a command line.
        everything: show rare settings too.
    """
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)
    kept = [each for each in shown if everything or not each.rare]
    bare = (words.native or "").upper() or (f"[{words.names[0].upper()}]" if words.names else "")
    lines = [f"usage: {program} {bare} [--SETTING VALUE ...]".replace("  ", " "), ""]
    lines += textwrap.wrap((kind.__doc__ or "").split("\n")[0], width)
    group = None
    for each in sorted(kept, key=lambda each: each.group.split(".")[0] != ""):
        top = each.group.split(".")[0]
        if top != group:
            group = top
            lines += ["", f"{top}:" if top else "settings:"]
        lines += _entry(each, words, width)
    lines += ["", *_end(len(shown) - len(kept), words, example)]
    return "\n".join(lines)


def _entry(each: Setting, words: Words, width: int) -> list[str]:
    """The lines of one setting."""
    flag = each.name.upper() if each.name == words.native else f"--{each.name}"
    values = _type(each.hint)
    if each.choices:
        values = "|".join(each.choices) + (" ..." if get_origin(each.hint) is list else "")
    head = f"  {flag} {values}".rstrip() if flag.startswith("--") else f"  {flag}"
    default = "" if each.default in (MISSING, None, "", []) else f" [{_shown(each.default)}]"
    text = f"{each.about.rstrip('.')}{default}"
    indent, beside = " " * INDENT, len(head) + LEAST <= width
    first = f"{head}  " if beside else indent
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=indent)
    return lines if beside else [*_broken(head, width), *lines]


def _broken(head: str, width: int) -> list[str]:
    """A flag and its choices in as many lines as they need; a line ends after a choice."""
    parts = textwrap.wrap(
        head.strip().replace("|", "| "), width, initial_indent="  ", subsequent_indent="    "
    )
    return [part.replace("| ", "|") for part in parts]


def _end(hidden: int, words: Words, example: str) -> list[str]:
    lines = ["--config FILE reads settings from a YAML file; --print_config writes them."]
    if hidden:
        lines.append(f"--help all shows {hidden} more settings, which are rarely changed.")
    if words.names:
        lines.append(f"An argument without a flag is --{words.names[0]}.")
    if example:
        lines.append(f"Example: {example}")
    return lines


def _shown(value: Any) -> str:
    """A default, in short."""
    if isinstance(value, (list, tuple)):
        return " ".join(str(getattr(each, "name", each)) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(hint: Any) -> str:
    """A type as help names it."""
    if get_origin(hint) in (Union, UnionType):
        names = [_type(each) for each in get_args(hint) if each is not type(None)]
        return "|".join(dict.fromkeys(names))
    if get_origin(hint) is list:
        inner = get_args(hint)[0]
        return (
            "TERM ..."
            if isinstance(inner, type) and issubclass(inner, Settings)
            else f"{_type(inner)} ..."
        )
    if isinstance(hint, type) and issubclass(hint, Settings):
        return "TERM"
    return NAMES.get(getattr(hint, "__name__", ""), "VALUE")
