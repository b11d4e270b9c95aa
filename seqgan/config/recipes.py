"""Methods and sizes: what a run does, and how much of it.

A method is a YAML file in ``seqgan/methods``: a title, the paper, settings, and settings per size.
``sizes.yaml`` says how much work each size is, for all methods. The order, later ones on top: the
defaults of the settings, the method, the size, the method at that size, and what the user gives.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

import yaml

from ..errors import ConfigError, did_you_mean
from .components import Component
from .methods import FOLDER, SIZES, Content, read_method
from .settings import Settings, hints

__all__ = ["GROUPS", "Layers", "merge", "recommended"]

GROUPS = (
    "corpus", "generator", "discriminator", "pretrain", "critic", "ensemble", "algorithm",
    "adversarial", "evaluation",
)  # fmt: skip
"""The groups that a method and a size recommend settings for; rewards are a list beside them."""


@dataclass(frozen=True)
class Layers:
    """Groups of settings that a method and a size recommend.

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
        found = kind.chosen({**method, **at_size, **given})
        if issubclass(kind, Component) and found is not kind.chosen({**method, **at_size}):
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


@functools.cache
def _sizes() -> Mapping[str, Content]:
    found: Mapping[str, Content] = yaml.safe_load((FOLDER / "sizes.yaml").read_text("utf-8"))
    return found


def recommended(method: str, size: str) -> Layers:
    """Settings that a method and a size recommend.

    Raises:
        ConfigError: there is no such method or size.
    """
    if size not in SIZES:
        near = did_you_mean(str(size), SIZES)
        raise ConfigError(f"--size: {size!r} is none of {', '.join(SIZES)}{near}")
    found = read_method(method)
    return Layers(found.settings, _sizes().get(size) or {}, found.sizes.get(size, {}))
