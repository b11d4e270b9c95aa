"""Settings of components: a dataclass for each, chosen by name out of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from ..errors import ConfigError, did_you_mean
from .settings import Settings

__all__ = ["Component", "build", "named"]


def named(path: str) -> Any:
    """The object of a dotted path, imported when it is needed.

    Args:
        path: ``module:name``, or ``module`` if it has only one public name.
    """
    place, _, name = path.partition(":")
    module = import_module(place)
    if not name:
        (name,) = module.__all__
    return getattr(module, name)


@dataclass
class Component(Settings):
    """Base of a group whose dataclass is chosen by one of its settings, the selector.

    A new component is a dataclass of its own and a line in its group's table.
    """

    selector: ClassVar[str] = "architecture"
    listed: ClassVar[str] = ""
    """Dotted path ``module:TABLE`` of the group's dataclasses by name, the default first."""
    builds: ClassVar[str] = ""
    """Dotted path of the class that the settings describe: no file here imports torch."""
    files: ClassVar[str] = ""
    """The setting that names files with the weights to begin with; they may lack some."""

    @classmethod
    def table(cls) -> Mapping[str, type[Component]]:
        """The dataclasses of the group by name, the default first."""
        found: Mapping[str, type[Component]] = named(cls.listed)
        return found

    @classmethod
    def others(cls) -> Mapping[str, type[Settings]]:
        """The dataclasses of the group by name."""
        return cls.table()

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The names of the group's dataclasses, for its selector."""
        return cls.table() if name == cls.selector else ()

    @classmethod
    def chosen(cls, content: Mapping[str, Any]) -> type[Settings]:
        """The dataclass that the selector names.

        Raises:
            ConfigError: there is none of that name.
        """
        table = cls.table()
        name = content.get(cls.selector, next(iter(table)))
        if not isinstance(name, str) or name not in table:
            raise ConfigError(
                f"--{cls.group}{cls.selector}: {name!r} is none of {', '.join(table)}"
                f"{did_you_mean(str(name), table)}"
            )
        return table[name]


def build(settings: Component, *arguments: Any, **more: Any) -> Any:
    """The object that a component's settings describe, made from them and `arguments`."""
    return named(settings.builds)(settings, *arguments, **more)
