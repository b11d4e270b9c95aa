"""From a command line and YAML to settings, in two passes.

The first pass finds what chooses the settings there are: the method and the size, ``--config``, a
run that is fine-tuned or resumed, the data, and the components. The second reads the flags of just
these components, with jsonargparse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, replace
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from ..config import DataConfig, FinetuneConfig, RewardTerm, RunConfig
from ..config.describe import Setting, every_setting, settings_of
from ..config.format import CONFIG_FORMAT, check_format
from ..config.reading import read_settings
from ..config.rewards.stages import StageConfig
from ..config.settings import Settings, flat, hints, settings_from, unknown
from ..config.unnamed import unnamed_method
from ..errors import ConfigError
from ..terminal import warn
from .arguments import Words, arranged
from .help import help_text
from .stored import given_rewards, stored_settings
from .table import COMMANDS
from .unused import unused_settings

__all__ = ["parse", "parse_settings"]

REWARDS = list[str | dict[str, Any]]
"""A list of reward terms on a command line: short forms, or mappings."""
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list: brackets around, commas between",
}


def parse(command: str, argv: list[str]) -> Any:
    """Settings of a command; None if help or the settings were printed instead.

    Settings that were given and have no effect are named on standard error.

    Raises:
        ConfigError: a flag, key or value is wrong.
    """
    about = COMMANDS[command]
    settings, given = _read(
        f"seqgan {command}", about.settings, argv, about.words, about.example, command
    )
    if settings is not None:
        for line in unused_settings(settings, given):
            warn("seqgan", line)
    return settings


def parse_settings(
    program: str,
    settings: type[Settings],
    argv: list[str],
    example: str = "",
    positional: str | None = None,
) -> Any:
    """The settings of another program's command, as `parse`.

    Args:
        program: what the help calls it.
        settings: a dataclass.
        argv: the arguments.
        example: of a command line, for the help.
        positional: the setting that is given without a flag.
    """
    many = positional is not None and hints(settings)[positional] == list[str]
    words = Words(native=positional, many=many)
    return _read(program, settings, argv, words, example)[0]


def _read(
    program: str, kind: type[Settings], argv: list[str], words: Words, example: str,
    command: str = "",
) -> tuple[Any, set[str]]:  # fmt: skip
    """The settings, and the names of those that the user gave; None if something was printed."""
    known = every_setting(kind)
    if command in ("run", "pretrain"):  # --run names where to begin, as it does in fine-tuning
        argv = [re.sub(r"^--run(?==|$)", "--pretrain.run", word) for word in argv]
    argv = arranged(argv, known, words, program)
    typed = _typed(argv)
    content = stored_settings(kind, typed, command)
    try:
        defaults = _defaults(kind, content, typed, argv, words)
    except ConfigError as error:
        if "config" not in typed or any(f"--{name}: " in str(error) for name in typed):
            raise
        raise ConfigError(f"--config: {typed['config']}: {error}") from None
    given = {*content, *typed}
    required = {x.name for x in settings_of(kind) if x.default is MISSING and x.name not in given}
    shown = [
        replace(each, default=MISSING) if each.name in required else each
        for each in settings_of(defaults)
    ]
    if (mark := next((word for word in argv if word.startswith("--help")), None)) is not None:
        print(help_text(program, kind, shown, words, example, everything=mark == "--help=all"))
        return None, set()
    _refuse_others(argv, known, shown, defaults)
    printed = "--print_config" in argv
    values = _parsed(program, [word for word in argv if word != "--print_config"], shown, words)
    settings = kind(**values)
    if printed:
        print(yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True), end="")
        return None, set()
    of_file = read_settings(Path(typed["config"])) if "config" in typed else {}
    return settings, {*typed, *_changed(kind, of_file)}


def _changed(kind: type[Settings], content: dict[str, Any]) -> set[str]:
    """The names of the settings of a file that are not what they would be without it."""
    usual: Settings | type[Settings] = kind
    if issubclass(kind, RunConfig):
        choices: dict[str, Any] = {"run": "any"} if issubclass(kind, FinetuneConfig) else {}
        for name, hint in hints(kind).items():
            selector = getattr(hint, "selector", None)
            inner = content.get(name, {}) if selector else {}
            if selector in inner:
                choices[name] = {selector: inner[selector]}
            elif name in ("method", "size", "data") and name in content:
                choices[name] = content[name]
        usual = settings_from(kind, choices)
    defaults = {each.name: each.default for each in settings_of(usual)}
    given = flat(content)
    return {name for name, value in given.items() if defaults.get(name, MISSING) != value}


def _typed(argv: list[str]) -> dict[str, str]:
    """The values of the flags of an arranged command line by name."""
    flags = (word[2:].partition("=") for word in argv[: _end(argv)] if "=" in word)
    return {name: value for name, _, value in flags}


def _end(argv: list[str]) -> int:
    return argv.index("--") if "--" in argv else len(argv)


def _defaults(
    kind: type[Settings], content: dict[str, Any], typed: Mapping[str, str], argv: list[str],
    words: Words,
) -> Settings | type[Settings]:  # fmt: skip
    """The defaults of the flags: an instance if the settings depend on other settings."""
    if issubclass(kind, DataConfig):
        bare = argv[_end(argv) + 1 :]
        source = bare[0] if bare else content.get("source", "a file")
        return settings_from(kind, {**content, "source": source})
    if not issubclass(kind, RunConfig):
        return _instance(kind, content)
    content = {name: value for name, value in content.items() if name != "config"}
    check_format(content.get("config_format", CONFIG_FORMAT))
    for name in ("method", "size", "data"):
        if name in typed:
            if name == "data" and typed[name] != content.get(name):
                content.pop("corpus", None) if _other_source(typed[name], content) else None
            content[name] = typed[name]
    if typed.get("method") == "":
        raise ConfigError("--method: an empty name; without --method the settings choose one")
    if not content.get("method"):
        content["method"] = unnamed_method(
            {**flat(content), **typed}, *given_rewards(typed, content)
        )
    for name, hint in hints(kind).items():
        selector = getattr(hint, "selector", None)
        flag = f"{name}.{selector}"
        if selector and flag in typed and typed[flag] != content.get(name, {}).get(selector):
            content[name] = {selector: typed[flag]}
    if issubclass(kind, FinetuneConfig):
        found = settings_from(kind, {**content, "run": "any"})  # help needs none
        found.run = typed.get("run", content.get("run", ""))
        return found
    return settings_from(kind, content)


def _other_source(data: str, content: Mapping[str, Any]) -> bool:
    from ..config.data import corpus_kind

    return corpus_kind(data) is not corpus_kind(content.get("data", "grammar"))


def _instance(kind: type[Settings], content: Mapping[str, Any]) -> Settings | type[Settings]:
    """An instance with the values of a file; the dataclass itself if some are still missing."""
    if not content:
        return kind
    required = [each.name for each in settings_of(kind) if each.default is MISSING]
    return kind if any(name not in content for name in required) else settings_from(kind, content)


def _refuse_others(
    argv: list[str], known: Mapping[str, Setting], shown: list[Setting], defaults: Any
) -> None:
    """Refuses the flags of components that were not chosen."""
    names = {each.name for each in shown}
    for name in _typed(argv):
        if name in known and name not in names:
            group, _, inner = name.partition(".")
            raise ConfigError(unknown(type(getattr(defaults, group)), inner))


def _parsed(program: str, argv: list[str], shown: list[Setting], words: Words) -> dict[str, Any]:
    """The values of all settings, as nested mappings."""
    parser = ArgumentParser(prog=program, exit_on_error=False, allow_abbrev=False, add_help=False)
    parser.add_argument("--config", type=str)
    for each in shown:
        hint = REWARDS if each.hint in (list[RewardTerm], list[StageConfig]) else each.hint
        if each.name == words.native:
            parser.add_argument(each.name, type=str, nargs="+" if words.many else None)
            if each.default is not MISSING and "--" not in argv:  # a file has it
                argv = [*argv, "--", *(each.default if words.many else [each.default])]
        elif each.default is MISSING:
            parser.add_argument(f"--{each.name}", type=hint, required=True)
        else:
            default = [asdict(x) for x in each.default] if hint is REWARDS else each.default
            parser.add_argument(f"--{each.name}", type=hint, default=default)
    try:
        values = parser.parse_args(argv).as_dict()
    except ArgumentError as error:
        raise ConfigError(_one_line(str(error), parser)) from None
    return {name: value for name, value in values.items() if name != "config"}


def _one_line(message: str, parser: ArgumentParser) -> str:
    """Jsonargparse's message on one line, in our words."""
    text = " ".join(message.split())
    wrong = re.search(
        r'Parser key "([\w.]+)":? Expected an? <class \'(\w+)\'>. Got value: (.*)', text
    ) or re.search(
        r'Parser key "([\w.]+)":? Does not validate .*?<class \'(\w+)\'>.* Given value: (.*)', text
    )
    if wrong:
        return f"--{wrong[1]}: {wrong[3]!r} is not {KINDS.get(wrong[2], wrong[2])}"
    missing = re.search(r"the following arguments are required: (.*)", text)
    if missing:
        named = [word.strip() for word in missing[1].split(",")]
        positional = [action.dest for action in parser._actions if not action.option_strings]
        flags = [name.upper() if name in positional else f"--{name}" for name in named]
        return f"missing: {', '.join(flags)}; see {parser.prog} --help"
    return text
