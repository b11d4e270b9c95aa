"""Settings from plain data, as a run's `config.yaml` holds them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from . import RunConfig
from ..errors import ConfigError, did_you_mean
from .kinds import kind_name, of_kind

__all__ = ["run_config"]


def run_config(content: dict[str, Any], where: str) -> RunConfig:
    """A `RunConfig` from a mapping.

    Args:
        content: settings; groups are mappings.
        where: the file they come from, for messages.

    Raises:
        ConfigError: an unknown or wrong setting.
    """
    # A fine-tuned run also names the run it began with.
    return _fill(RunConfig(), {k: v for k, v in content.items() if k != "run"}, where)


def _fill(config: Any, content: dict[str, Any], where: str) -> Any:
    known = {field.name for field in fields(config)}
    kinds = get_type_hints(type(config))
    for key, value in content.items():
        if key not in known:
            near = did_you_mean(str(key), known)
            raise ConfigError(f"{where}: unknown setting {str(key)[:80]!r}{near}")
        current = getattr(config, key)
        if is_dataclass(current):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {key!r} must be a group of settings")
            value = _fill(current, value, where)
        elif not of_kind(value, kinds[key]):
            shown = f"{value!r:.80}, not {kind_name(kinds[key])}"
            raise ConfigError(f"{where}: {key!r} has a value of the wrong kind: {shown}")
        setattr(config, key, value)
    try:
        config.__post_init__()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return config
