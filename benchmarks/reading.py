"""YAML files of suites and methods, read strictly: what is not understood is refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from seqgan.config.dotted import is_dotted
from seqgan.errors import ConfigError, did_you_mean

__all__ = ["Mapping", "check_keys", "dotted", "listed", "mapping", "read_yaml"]

Mapping = dict[str, Any]


def read_yaml(path: Path, where: str) -> Mapping:
    """The mapping that a YAML file holds."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{where}{line}: not plain YAML") from None
    return mapping(content, where)


def mapping(content: Any, where: str) -> Mapping:
    """`content`, which must be a mapping."""
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: a {type(content).__name__}, not a mapping")
    return content


def check_keys(content: Mapping, known: Iterable[str], where: str) -> None:
    """Refuses keys that are not known."""
    for key in content:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}{did_you_mean(str(key), known)}")


def listed(content: Mapping, key: str, where: str) -> list[Any]:
    """The list under a key; empty where there is none."""
    value = content.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {key}: a {type(value).__name__}, not a list")
    return value


def dotted(value: Any, where: str) -> str | None:
    """A dotted path, or None."""
    if value is None or (isinstance(value, str) and is_dotted(value)):
        return value
    raise ConfigError(f"{where}: {value!r} is not of the form package.module:name")
