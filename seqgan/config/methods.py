"""The files of the methods: a title, the paper, settings, and settings per size.

Everything that is known of a method stands there once, except the outcome of its benchmarks:
``results.json`` beside the files is made of committed results by ``seqgan-bench methods``.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, did_you_mean

__all__ = [
    "DEFAULT_METHOD", "DISCRIMINATOR_METHOD", "FOLDER", "OBJECTIVE_METHOD", "RESULTS", "SIZES",
    "Method", "method_names", "method_results", "read_method",
]  # fmt: skip

FOLDER = Path(__file__).parents[1] / "methods"
RESULTS = FOLDER / "results.json"
"""The verdicts on methods in the committed benchmarks: for each method a list of rows."""
SIZES = ("smoke", "quick", "standard", "full")
DEFAULT_METHOD = "ratio"
DISCRIMINATOR_METHOD = "seqgan-logodds"
"""The default if the settings ask for a discriminator or for policy gradients, or are not for an
ensemble (see `seqgan.config.unnamed`)."""
OBJECTIVE_METHOD = "rloo"
"""The default if all rewards say what is wanted of a sequence: rollouts would ask for every
completion of every prefix, and a call may be dear."""

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """A method, as its file has it.

    Attributes:
        name: of the file.
        title: for people.
        about: what it does.
        paper: authors, year and title; "" if it is the toolkit's own.
        link: address of the paper.
        settings: groups of settings.
        sizes: for each size the settings on top.
    """

    name: str
    title: str
    about: str = ""
    paper: str = ""
    link: str = ""
    settings: Content = field(default_factory=dict)
    sizes: Mapping[str, Content] = field(default_factory=dict)

    @property
    def year(self) -> int | None:
        """The year of the paper; None for the toolkit's own methods."""
        found = re.search(r"\b(19|20)\d\d\b", self.paper)
        return None if found is None else int(found[0])


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


def method_results() -> dict[str, list[dict[str, Any]]]:
    """For each method that was measured a row for each suite: suite, seeds, difference, label."""
    found: dict[str, list[dict[str, Any]]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


@functools.cache
def _read(name: str) -> Method:
    return Method(name, **yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))
