"""Methods and sizes: what a run does, and how much of it.

A method is a YAML file in ``seqgan/methods``: a title, the paper, settings, and settings per size.
``sizes.yaml`` says how much work each size is, for all methods. The order, later ones on top: the
defaults of the settings, the method, the size, the method at that size, and what the user gives.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, did_you_mean
from .settings import Component, Settings, chosen, hints

__all__ = [
    "DEFAULT_METHOD", "SIZES", "Layers", "Method", "merge", "method_names", "read_method",
    "recommended",
]  # fmt: skip

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


@dataclass(frozen=True)
class Layers:
    """What a method and a size recommend: groups of settings.

    Attributes:
        method: of the method.
        size: of the size, for any method: a component takes what it has of them.
        at_size: of the method at that size.
    """

    method: Content
    size: Content
    at_size: Content

    @property
    def rewards(self) -> list[Any]:
        """The terms of the reward; the discriminator alone if nothing is said."""
        return list(self.at_size.get("rewards") or self.method.get("rewards") or [{}])

    def of(self, name: str, kind: type[Settings], given: Content) -> dict[str, Any]:
        """The settings of a group: the recommended ones, and those given on top.

        Those of the method apply only to the component that the method names: a user who chooses
        another one gets that one's defaults.

        Args:
            name: of the group.
            kind: the dataclass that the group is declared with.
            given: the user's settings.
        """
        method, at_size = self.method.get(name, {}), self.at_size.get(name, {})
        found = chosen(kind, {**method, **at_size, **given})
        if issubclass(kind, Component) and found is not chosen(kind, {**method, **at_size}):
            method, at_size = {}, {}
        size = _applicable(self.size.get(name, {}), found)
        return merge(method, size, at_size, given)


def merge(*parts: Content) -> dict[str, Any]:
    """Settings with later ones on top; groups are merged, everything else is replaced."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
                merged[key] = merge(merged[key], value)
            else:
                merged[key] = value if is_dataclass(value) else copy.deepcopy(value)
    return merged


def _applicable(content: Content, kind: type[Settings]) -> dict[str, Any]:
    known = hints(kind)
    return {key: value for key, value in content.items() if key in known}


def method_names() -> list[str]:
    """The names of the methods, the default first."""
    names = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "sizes")
    return sorted(names, key=lambda name: name != DEFAULT_METHOD)


@functools.cache
def read_method(name: str) -> Method:
    """The method of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in method_names():
        near = did_you_mean(str(name), method_names())
        raise ConfigError(f"--method: {name!r} is none of {', '.join(method_names())}{near}")
    return Method(name, **yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


@functools.cache
def _sizes() -> Mapping[str, Content]:
    found: Mapping[str, Content] = yaml.safe_load((FOLDER / "sizes.yaml").read_text("utf-8"))
    return found


def recommended(method: str, size: str) -> Layers:
    """What a method and a size recommend.

    Raises:
        ConfigError: there is no such method or size.
    """
    if size not in SIZES:
        near = did_you_mean(str(size), SIZES)
        raise ConfigError(f"--size: {size!r} is none of {', '.join(SIZES)}{near}")
    found = read_method(method)
    return Layers(found.settings, _sizes().get(size) or {}, found.sizes.get(size, {}))
