"""Settings of trainings for tests, their groups found by the names of the values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from seqgan.config import RunConfig
from seqgan.config.settings import Settings

__all__ = ["changed", "run_settings"]

Kind = TypeVar("Kind", bound=Settings)
GROUPS = ("adversarial", "algorithm", "optimizer")
"""Where a value is looked for that the settings themselves have not, in this order."""


def run_settings(**values: Any) -> RunConfig:
    """Settings of a run with these values in its rounds or in their algorithm."""
    return changed(RunConfig(method="seqgan-logodds"), **values)


def changed(settings: Kind, **values: Any) -> Kind:
    """The settings with other values, in whatever group of theirs such a value is."""
    for name, value in values.items():
        path = _path(settings, name)
        assert path is not None, f"no setting {name}"
        settings = _replaced(settings, path, value)
    return settings


def _path(settings: Settings, name: str) -> list[str] | None:
    if name in vars(settings):
        return [name]
    for group in GROUPS:
        if group in vars(settings):
            inner = _path(getattr(settings, group), name)
            if inner is not None:
                return [group, *inner]
    return None


def _replaced(settings: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    return replace(
        settings, **{name: _replaced(getattr(settings, name), rest, value) if rest else value}
    )
