"""Command lines as people type them, put into the one form that the parser reads.

Every flag becomes ``--name=value``, so a value may begin with a dash. A flag of a yes-or-no setting
may stand alone, dashes serve as underscores, lists need no brackets, and arguments without a flag
are given to the settings that they naturally belong to.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from ..config import SOURCES
from ..config.decoding import Decoding
from ..config.describe import Setting
from ..errors import ConfigError, did_you_mean

__all__ = ["Words", "arranged", "near_flag"]

BOOLEAN = re.compile(r"true|false|yes|no|on|off", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?\d*\.?\d+([eE][+-]?\d+)?")
LIKE_A_FLAG = re.compile(r"-h|--[^\W\d][\w.-]*(=.*)?", re.DOTALL)
MOST_NAMED = 3
"""Flags that a message proposes at most."""


class Words(NamedTuple):
    """The arguments without a flag that a command takes.

    Attributes:
        names: settings that they are given to, in order.
        files: settings that they are given to instead if the first one is a file.
        native: the setting that the parser itself takes without a flag, or None.
        many: the native setting takes all of them.
        also: other flags for the native setting.
    """

    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    native: str | None = None
    many: bool = False
    also: tuple[str, ...] = ()


def arranged(
    argv: list[str], settings: Mapping[str, Setting], words: Words, program: str
) -> list[str]:
    """Arguments in the form that the parser reads: flags with ``=``, then bare ones after ``--``.

    Args:
        argv: the arguments as they were typed.
        settings: those that a flag may name.
        words: what arguments without a flag are for.
        program: what messages call it.

    Raises:
        ConfigError: a flag is unknown, a value is missing, or an argument belongs nowhere.
    """
    line = _Line(settings, words, program)
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help", "--help=all"):
            if rest[:1] == ["all"]:
                word = f"--help={rest.pop(0)}"
            line.flags.append("--help=all" if word == "--help=all" else "--help")
            continue  # the other flags may choose the settings to show
        if word == "--":
            line.bare.extend(rest)
            break
        if word.startswith("-") and word != "-":
            line.flag(word, rest)
        else:
            line.bare.append(word)
    return line.result()


class _Line:
    """A command line on its way into the parser's form."""

    def __init__(self, settings: Mapping[str, Setting], words: Words, program: str):
        self.words, self.program = words, program
        self.hints = {f"--{name}": each.hint for name, each in settings.items()}
        self.choices = {f"--{name}": each.choices for name, each in settings.items()}
        self.hints |= {"--config": str, "--print_config": bool, "--help": bool}
        self.flags: list[str] = []
        self.bare: list[str] = []

    def flag(self, word: str, rest: list[str]) -> None:
        """Takes a flag, and its value from `rest` if it needs one."""
        typed, equals, value = word.partition("=")
        name = self._known(typed)
        if name == f"--{self.words.native}":
            self.bare.extend([value] if equals else _until_flag(rest, self.words.many))
            return
        hint = self.hints[name]
        if equals:
            self._add(name, value)
        elif name == "--print_config":
            self.flags.append(name)
        elif _is_boolean(hint):
            self._add(name, rest.pop(0) if self._is_value(rest, hint) else "true")
        else:
            value = self._value(name, rest)
            while _is_list(hint) and rest and self._goes_on(name, rest[0]):
                value += f",{rest.pop(0)}"
            self._add(name, value)

    def result(self) -> list[str]:
        """The arguments for the parser.

        Raises:
            ConfigError: there are more bare arguments than the command takes.
        """
        bare = self.bare
        names = self.words.files if bare and _is_file(bare[0]) else ()
        names = names or self.words.names
        if self.words.native is not None:
            taken = bare if self.words.many else bare[:1]
            self._refuse(bare[len(taken) :])
            return [*self.flags, *(["--", *taken] if taken else [])]
        given = {flag.partition("=")[0][2:]: flag.partition("=")[2] for flag in self.flags}
        free = [name for name in names if name not in given]
        if bare and names and not free:
            name = names[0]
            raise ConfigError(
                f"--{name} is given twice: {given[name]!r} and {bare[0]!r}; leave one out"
            )
        self._refuse(bare[len(free) :])
        return self.flags + [f"--{name}={word}" for name, word in zip(free, bare, strict=False)]

    def _refuse(self, words: list[str]) -> None:
        if not words:
            return
        places = [name.upper() for name in (self.words.names or (self.words.native,)) if name]
        takes = f"without a flag it takes only {', '.join(places)}" if places else "it takes flags"
        raise ConfigError(f"unexpected argument {words[0]!r}: {takes}; see {self.program} --help")

    def _known(self, typed: str) -> str:
        """The flag as the parser spells it."""
        name = typed if typed in self.hints else typed.replace("-", "_").replace("__", "--", 1)
        native = self.words.native
        if native is not None and name[2:] in (native, *self.words.also):
            return f"--{native}"
        if any(flag.startswith(f"{name}.") for flag in self.hints):
            raise ConfigError(f"{name}: a group of settings, each set by {name}.NAME VALUE")
        if name not in self.hints:
            raise ConfigError(f"unknown flag {typed}{near_flag(typed, self.hints)}")
        return name

    def _value(self, name: str, rest: list[str]) -> str:
        if not rest or rest[0] == "--":
            raise ConfigError(f"{name}: expects a value")
        if LIKE_A_FLAG.fullmatch(rest[0]):  # most likely the value was forgotten
            raise ConfigError(
                f"{name}: expects a value, and {rest[0]} looks like a flag; if it is the value: "
                f"{name}={shlex.quote(rest[0])}"
            )
        return rest.pop(0)

    def _is_value(self, rest: list[str], hint: Any) -> bool:
        """Tells if the next word is the value of a flag that may stand alone."""
        if not rest or rest[0].startswith("-"):
            return False
        word = rest[0]
        if BOOLEAN.fullmatch(word) or str in get_args(hint):
            return True
        free = len(self.bare) < len(self.words.names) or self.words.native is not None
        return not (free and (word in SOURCES or Path(word).exists() or _is_file(word)))

    def _goes_on(self, name: str, word: str) -> bool:
        """Tells if a word is one more part of a list: a choice, a number, a term of the reward."""
        if name == "--rewards":
            return not (word.startswith("-") or word in SOURCES or Path(word).exists())
        return word in self.choices.get(name, ()) or NUMBER.fullmatch(word) is not None

    def _add(self, name: str, value: str) -> None:
        if _is_list(self.hints[name]) and value != "null" and not value.lstrip().startswith("["):
            value = f"[{value}]"
        self.flags.append(f"{name}={value}")


def near_flag(typed: str, flags: Iterable[str]) -> str:
    """A hint about an unknown flag: the closest one, or the way to switch a setting off."""
    known = [flag for flag in flags if flag.startswith("--")]
    name = typed.lstrip("-").replace("-", "_")
    ends: dict[str, list[str]] = {}
    for flag in known:
        ends.setdefault(flag.rpartition(".")[2].lstrip("-"), []).append(flag)
    if name.startswith("no_") and (switched := ends.get(name.removeprefix("no_"))):
        return f" (to switch it off: '{switched[0]} false')"
    if name in ends:
        named = [repr(flag) for flag in ends[name][:MOST_NAMED]]
        first = f"{', '.join(named[:-1])} or " if named[1:] else ""
        return f" (did you mean {first}{named[-1]}?)"
    if name in {each.name for each in fields(Decoding)}:
        return " (a setting of 'seqgan sample': training draws from the model as it is)"
    if hint := did_you_mean(f"--{name}", known):
        return hint
    close = difflib.get_close_matches(name, ends, n=1, cutoff=0.8)
    return f" (did you mean {ends[close[0]][0]!r}?)" if close else ""


def _is_file(word: str) -> bool:
    """Tells if an argument names a file, or would if the file existed."""
    return not Path(word).is_dir() and (Path(word).is_file() or Path(word).suffix != "")


def _is_boolean(hint: Any) -> bool:
    return hint is bool or bool in get_args(hint)


def _is_list(hint: Any) -> bool:
    return any(get_origin(each) is list for each in (hint, *get_args(hint)))


def _until_flag(rest: list[str], many: bool) -> list[str]:
    """Takes one word, or all up to the next flag, out of `rest`."""
    taken: list[str] = []
    while rest and not rest[0].startswith("-") and (many or not taken):
        taken.append(rest.pop(0))
    return taken
