"""The base of all settings: kinds of values, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, TypeVar, get_type_hints

from ..errors import ConfigError, did_you_mean
from .kinds import as_plain, kind_name, of_kind

__all__ = ["Settings", "flat", "hints", "settings_from", "unknown"]

Kind = TypeVar("Kind", bound="Settings")


@dataclass
class Settings:
    """Base of all settings: checks the kind of each value, and turns mappings into groups.

    Raises:
        ConfigError: a value is of another kind than its field; a mapping has an unknown name.
    """

    group: ClassVar[str] = ""
    """The part of a setting's flag before its name, such as ``corpus.``."""
    rare: ClassVar[tuple[str, ...]] = ()
    """Settings that help shows on request only."""

    @classmethod
    def others(cls) -> Mapping[str, type[Settings]]:
        """The dataclasses that this one was chosen from by name, for messages; none by default."""
        return {}

    @classmethod
    def choices(cls, name: str) -> Iterable[str]:
        """The values of a setting that help lists; none by default."""
        return ()

    @classmethod
    def chosen(cls, content: Mapping[str, Any]) -> type[Settings]:
        """The dataclass that settings are for: this one, or for a component the one they name."""
        return cls

    def __post_init__(self) -> None:
        for name, hint in hints(type(self)).items():
            flag, value = f"--{self.group}{name}", getattr(self, name)
            if is_dataclass(hint):
                assert isinstance(hint, type) and issubclass(hint, Settings)
                if isinstance(value, Mapping):
                    value = settings_from(hint, value)
                if not isinstance(value, hint):
                    kinds = dict.fromkeys(hint.others().values()) or [hint]
                    raise ConfigError(
                        f"{flag}: {value!r:.80} is not a group of settings: give a mapping or "
                        f"{' or '.join(f'{each.__name__}(...)' for each in kinds)}"
                    )
            else:
                value = as_plain(value)
                if not of_kind(value, hint):
                    raise ConfigError(f"{flag}: {value!r:.80} is not {kind_name(hint)}")
            setattr(self, name, value)


def settings_from(kind: type[Kind], content: Mapping[str, Any]) -> Kind:
    """Settings from a mapping; groups are mappings too.

    Raises:
        ConfigError: a name is unknown, or a value is of the wrong kind or makes no sense.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{kind.group or 'settings'}: {content!r:.80} is not a mapping")
    found = kind.chosen(content)
    known = hints(found)
    for key in content:
        if key not in known:
            raise ConfigError(unknown(found, str(key)[:80]))
    settings: Any = found(**content)
    return settings


def unknown(kind: type[Settings], name: str) -> str:
    """Says that settings have no such name, and which other component has it or what is near."""
    table = kind.others()
    mine = next((key for key, each in table.items() if each is kind), "")
    has = [key for key, each in table.items() if name in hints(each)]
    if has:
        *most, last = has
        others = f"{', '.join(most)} and {last} have" if most else f"{last} has"
        return f"--{kind.group}{name}: {mine} has no such setting, {others}"
    near = {each: None for some in (kind, *table.values()) for each in hints(some)}
    return f"unknown setting {kind.group + name!r}{did_you_mean(name, near)}"


def hints(kind: type) -> dict[str, Any]:
    """The type of each setting."""
    if kind not in _HINTS:
        found = get_type_hints(kind)
        _HINTS[kind] = {each.name: found[each.name] for each in fields(kind)}
    return dict(_HINTS[kind])


_HINTS: dict[type, dict[str, Any]] = {}


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by the names of their flags, as in ``critic.optimizer.learning_rate``."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        inner = flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {}
        found |= inner or {f"{prefix}{key}": value}
    return found
