"""Flags that a message advises, and the flags that each command takes."""

from __future__ import annotations

import functools
import re

from seqgan.cli.main import COMMANDS
from seqgan.config.describe import every_setting

FLAG = re.compile(r"(?<![\w-])(--[a-z][\w.-]*)(\0?)")
COMMAND = re.compile(rf"seqgan ({'|'.join(COMMANDS)})\b")


def flags_in(text: str) -> list[str]:
    """The flags that a text names; not the beginnings of those that are put together later."""
    found = [(re.sub(r"\.[A-Z]+$", "", name), rest) for name, rest in FLAG.findall(text)]
    return [name.rstrip(".") for name, rest in found if not rest and not name.endswith(("_", "-"))]


@functools.cache
def flags_of(command: str) -> frozenset[str]:
    """Every flag that a command takes, whatever its components are."""
    about = COMMANDS[command]
    names = {*every_setting(about.settings), *about.words.also}
    flags = {f"--{name}" for name in names} | {"--config", "--print_config"}
    groups = {flag.rpartition(".")[0] for flag in flags if "." in flag}  # "the --corpus settings"
    return frozenset(flags | groups | {"--help", "--debug", "--version"})


def check_advice(arguments: list[str], error: str) -> None:
    """Asserts that the command takes every flag that its error names, but those that were typed."""
    if not arguments or arguments[0] not in COMMANDS:
        return
    typed = {word.split("=")[0] for word in arguments if word.startswith("--")}
    command = arguments[0]
    for part in re.split(rf"(?={COMMAND.pattern})", error):
        if (named := COMMAND.match(part)) is not None:  # a command line of its own
            command = named[1]
        unknown = set(flags_in(part.split("pip install")[0])) - typed - flags_of(command)
        assert not unknown, f"seqgan {command} has no {', '.join(unknown)}: {error}"
