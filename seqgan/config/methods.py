"""The files of the methods: a title, the paper, settings, and settings per size."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, did_you_mean

__all__ = ["DEFAULT_METHOD", "FOLDER", "SIZES", "Method", "method_names", "read_method"]

FOLDER = Path(__file__).parents[1] / "methods"
SIZES = ("smoke", "quick", "standard", "full")
DEFAULT_METHOD = "seqgan-logodds"

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """A method, as its file has it.

    Attributes:
        name: of the file.
        title: for people.
        about: what it does.
        paper: authors, year and title; "" if it is the toolkit's own.
        settings: groups of settings.
        sizes: for each size the settings on top.
    """

    name: str
    title: str
    about: str = ""
    paper: str = ""
    settings: Content = field(default_factory=dict)
    sizes: Mapping[str, Content] = field(default_factory=dict)


def method_names() -> list[str]:
    """The names of the methods, the default first."""
    names = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "sizes")
    return sorted(names, key=lambda name: name != DEFAULT_METHOD)


def read_method(name: str) -> Method:
    """The method of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in method_names():
        near = did_you_mean(str(name), method_names())
        raise ConfigError(f"--method: {name!r} is none of {', '.join(method_names())}{near}")
    return _read(name)


@functools.cache
def _read(name: str) -> Method:
    return Method(name, **yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))
