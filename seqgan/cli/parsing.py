"""From command line and YAML to settings, with jsonargparse."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentError, ArgumentParser

from ..config import (
    CONFIG_FORMAT,
    CompareConfig,
    DataConfig,
    EvaluateConfig,
    FinetuneConfig,
    ReportConfig,
    RunConfig,
    SampleConfig,
)
from ..config.reading import run_config
from ..errors import ConfigError, did_you_mean
from ..terminal import warn
from .arguments import Words, arranged
from .unused import unused_settings

__all__ = ["parse", "parse_settings"]

PRESETS = Path(__file__).parents[1] / "presets"
SETTINGS: dict[str, type] = {
    "run": RunConfig,
    "pretrain": RunConfig,
    "finetune": FinetuneConfig,
    "sample": SampleConfig,
    "evaluate": EvaluateConfig,
    "compare": CompareConfig,
    "report": ReportConfig,
    "data": DataConfig,
}
EXAMPLES = {
    "run": "seqgan run --data captions.txt --preset quick --output_dir runs/captions",
    "pretrain": "seqgan pretrain --data captions.txt --output_dir runs/mle",
    "finetune": "seqgan finetune --run runs/mle --output_dir runs/adversarial",
    "sample": "seqgan sample --run runs/captions --number 20 --temperature 0.8",
    "evaluate": "seqgan evaluate --samples generated.txt --references test.txt",
    "compare": "seqgan compare runs/first runs/second",
    "report": "seqgan report --run runs/captions",
    "data": "seqgan data captions.txt --corpus.tokenizer words",
}
WITH_PRESETS = ("run", "pretrain", "finetune")
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list: brackets around, commas between",
}
WORDS = {
    "run": Words(("data",)),
    "pretrain": Words(("data",)),
    "finetune": Words(("run",)),
    "sample": Words(("run",)),
    "evaluate": Words(("run",), files=("samples", "references")),
    "compare": Words(native="runs", many=True, also=("run",)),
    "report": Words(("run",)),
    "data": Words(native="source", also=("data",)),
}
"""For each command, the settings that arguments without a flag are given to."""


def presets() -> list[str]:
    """The names that ``--preset`` takes."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def parse(command: str, argv: list[str]) -> Any:
    """Settings of a command; None if help or the settings were printed instead.

    Settings that were given and have no effect are named on standard error.

    Raises:
        ConfigError: a flag, key or value is wrong.
    """
    words = WORDS[command]
    parser = _parser(f"seqgan {command}", SETTINGS[command], EXAMPLES[command], words)
    if command in WITH_PRESETS:
        parser.add_argument(
            "--preset", default="default", help=f"a set of defaults: {', '.join(presets())}."
        )
    argv = arranged(argv, parser, words)
    _set_defaults(parser, command, argv)
    settings = _read(parser, SETTINGS[command], argv)
    if settings is not None:
        for line in unused_settings(settings, _given(SETTINGS[command], argv)):
            warn("seqgan", line)
    return settings


def parse_settings(
    program: str,
    settings: type,
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
    many = positional is not None and get_type_hints(settings)[positional] == list[str]
    words = Words(native=positional, many=many)
    parser = _parser(program, settings, example, words)
    return _read(parser, settings, arranged(argv, parser, words))


def _read(parser: ArgumentParser, settings: type, argv: list[str]) -> Any:
    path = _value_of("config", argv)
    if path is not None:
        _check_file(Path(path), settings)
    try:
        built = parser.instantiate(parser.parse_args(argv))
    except ArgumentError as error:
        raise ConfigError(_one_line(str(error), parser)) from None
    except SystemExit as stop:  # help and --print_config leave this way
        if stop.code in (0, None):
            return None
        raise
    return settings(**{k: v for k, v in vars(built).items() if k not in ("config", "preset")})


def _parser(program: str, settings: type, example: str, words: Words) -> ArgumentParser:
    ends = [f"Example: {example}"] if example else []
    if words.names:
        ends.append(f"An argument without a flag is --{words.names[0]}.")
    parser = ArgumentParser(
        prog=program,
        description=(settings.__doc__ or "").split("\n")[0],
        epilog=" ".join(ends) or None,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file with settings.")
    skip = set() if words.native is None else {words.native}
    if words.native is not None:
        kind: dict[str, Any] = {"nargs": "+", "type": str} if words.many else {"type": str}
        parser.add_argument(words.native, help=_help_of(settings, words.native), **kind)
    parser.add_class_arguments(settings, skip=skip)
    return parser


def _help_of(settings: type, name: str) -> str:
    """Description of an attribute in the docstring of the settings."""
    parsed = parse_docstring(settings.__doc__ or "")
    return next(part.description or "" for part in parsed.params if part.arg_name == name)


def _set_defaults(parser: ArgumentParser, command: str, argv: list[str]) -> None:
    """Defaults from the pretrained run, then from the preset; flags and --config come on top."""
    if command not in WITH_PRESETS:
        return
    if command == "finetune" and (folder := _value_of("run", argv)):
        from ..runs.run_directory import RunDirectory

        settings = RunDirectory.open(folder).config()
        run_config(settings, f"{folder}/config.yaml")  # refuses what is not as it should be
        _defaults_from(parser, settings, f"{folder}/config.yaml")
    _defaults_of_resumed(parser, command, argv)
    name = _value_of("preset", argv)
    if name is None:
        return
    if name not in presets():
        raise ConfigError(
            f"--preset: {name!r} is none of {', '.join(presets())}{did_you_mean(name, presets())}"
        )
    _defaults_from(parser, yaml.safe_load((PRESETS / f"{name}.yaml").read_text()) or {}, name)


def _defaults_of_resumed(parser: ArgumentParser, command: str, argv: list[str]) -> None:
    """``--resume PATH`` goes on with the settings that the run there was begun with."""
    resume = _value_of("resume", argv)
    if resume is None or resume.lower() in ("auto", "true", "false", ""):
        return
    from ..runs.resume import run_folder
    from ..runs.run_directory import RunDirectory

    folder = run_folder(resume)
    assert folder is not None
    settings = RunDirectory.open(folder).config()
    if command != "finetune" and settings.pop("run", None) is not None:
        raise ConfigError(f"--resume: {folder} is fine-tuned: seqgan finetune --resume {folder}")
    _defaults_from(parser, settings, f"{folder}/config.yaml")


def _defaults_from(parser: ArgumentParser, settings: dict[str, Any], where: str) -> None:
    flat = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": each for inner, each in value.items()})
        else:
            flat[key] = value
    for key, value in flat.items():
        try:
            parser.set_defaults({key: value})
        except (KeyError, ValueError):
            raise ConfigError(f"{where}: unknown setting {key!r}") from None


def _value_of(flag: str, argv: list[str]) -> str | None:
    """The value of a flag before the parser has seen it; None where it is not given."""
    value = None
    for word in argv:  # `arranged` has joined flag and value; the last one counts, as everywhere
        if word.startswith(f"--{flag}="):
            value = word.split("=", 1)[1]
    if value is None and flag != "config" and (path := _value_of("config", argv)) is not None:
        value = _settings_in(Path(path)).get(flag)
    return None if value is None else str(value)


def _given(settings: type, argv: list[str]) -> set[str]:
    """The settings that flags name, and those of a file that differ from the defaults."""
    given = {word[2:].partition("=")[0] for word in argv if word.startswith("--")}
    path = _value_of("config", argv)
    for key, value in (_settings_in(Path(path)) if path is not None else {}).items():
        kind = get_type_hints(settings).get(key)
        if is_dataclass(kind) and isinstance(value, dict):
            usual = vars(kind())  # type: ignore[operator]
            given |= {f"{key}.{name}" for name, each in value.items() if each != usual.get(name)}
        elif value not in (None, False):
            given.add(key)
    return given


def _check_file(path: Path, settings: type) -> None:
    """Refuses a settings file that jsonargparse would complain of in its own words."""
    content = _settings_in(path)
    found = content.get("config_format", CONFIG_FORMAT)
    if found != CONFIG_FORMAT and issubclass(settings, RunConfig):
        raise ConfigError(
            f"--config: {path}: settings of format {found}, written by another version of the "
            f"toolkit; this one reads format {CONFIG_FORMAT}"
        )
    _check_keys(content, settings, str(path), "")


def _settings_in(path: Path) -> dict[str, Any]:
    """The mapping that a settings file holds."""
    if path.exists() and not path.is_file():  # a pipe, say, which could be read only once
        raise ConfigError(f"--config: {path}: not a file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--config: {path}: not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ConfigError(f"--config: {path}{line}: not plain YAML: {problem}") from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"--config: {path}: a {type(content).__name__}, not a mapping of settings; "
            "--print_config shows what it looks like"
        )
    return content


def _check_keys(content: dict[str, Any], settings: type, where: str, group: str) -> None:
    kinds = get_type_hints(settings)
    known = [field.name for field in fields(settings)]
    for key, value in content.items():
        name = f"{group}{key}"
        if key not in known and not (group == "" and key in ("preset", "config")):
            near = did_you_mean(str(key), known)
            raise ConfigError(f"--config: {where}: unknown setting {name!r}{near}")
        if is_dataclass(kinds.get(key)):
            if not isinstance(value, dict):
                raise ConfigError(f"--config: {where}: {name!r} must be a group of settings")
            _check_keys(value, kinds[key], where, f"{name}.")


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
    group = re.search(r'Parser key "(\w+)":? Unable to load config', text)
    if group:
        return f"--{group[1]}: a group of settings, each set by --{group[1]}.NAME VALUE"
    missing = re.search(r"the following arguments are required: (.*)", text)
    if missing:
        named = [word.strip() for word in missing[1].split(",")]
        positional = [action.dest for action in parser._actions if not action.option_strings]
        flags = [name.upper() if name in positional else f"--{name}" for name in named]
        return f"missing: {', '.join(flags)}; see {parser.prog} --help"
    return text
