"""Every setting with its flag, type, default and description, as help and docs show them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from docstring_parser import parse as parse_docstring

from .settings import Settings, hints

__all__ = ["Setting", "every_setting", "settings_of"]


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: of its flag, without the dashes: ``corpus.tokenizer``.
        hint: its type.
        default: ``dataclasses.MISSING`` if it must be given.
        about: its description.
        rare: if help shows it on request only.
        choices: the values that it may have, if they are few and named.
    """

    name: str
    hint: Any
    default: Any
    about: str
    rare: bool = False
    choices: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The part of the name before the last dot; "" for a setting without a group."""
        return self.name.rpartition(".")[0]


def settings_of(settings: Settings | type[Settings], prefix: str = "") -> Iterator[Setting]:
    """The settings of a dataclass, groups opened.

    Args:
        settings: the dataclass, or an instance whose values are the defaults.
        prefix: of the names.
    """
    kind = settings if isinstance(settings, type) else type(settings)
    types, about = hints(kind), _abouts(kind)  # type: ignore[arg-type]
    for each in fields(kind):
        default = _default(each) if isinstance(settings, type) else getattr(settings, each.name)
        name = f"{prefix}{each.name}"
        if isinstance(default, Settings):
            yield from settings_of(default, f"{name}.")
        elif not (isinstance(types[each.name], type) and issubclass(types[each.name], Settings)):
            rare, choices = each.name in kind.rare, tuple(kind.choices(each.name))
            yield Setting(name, types[each.name], default, about.get(each.name, ""), rare, choices)


def every_setting(settings: Settings | type[Settings]) -> dict[str, Setting]:
    """As `settings_of` by name, with the settings of all alternatives of each group."""
    kind = settings if isinstance(settings, type) else type(settings)
    found = {each.name: each for each in settings_of(settings)}
    for name, hint in hints(kind).items():
        if isinstance(hint, type) and issubclass(hint, Settings):
            for other in hint.others().values() or [hint]:
                found |= {
                    each.name: each
                    for each in settings_of(other, f"{name}.")
                    if each.name not in found
                }
    return found


@functools.cache
def _abouts(kind: type) -> Mapping[str, str]:
    """Descriptions of the fields, from the docstrings of a dataclass and its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        for part in parse_docstring(base.__doc__ or "").params:
            found[part.arg_name] = " ".join((part.description or "").split())
    return found


def _default(each: Field[Any]) -> Any:
    if each.default_factory is not MISSING:
        return each.default_factory()
    return each.default
