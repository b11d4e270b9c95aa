"""Settings from plain data, as a run's `config.yaml` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from . import RunConfig, settings_from

__all__ = ["run_config"]


def run_config(content: Mapping[str, Any], where: str) -> RunConfig:
    """A `RunConfig` from a mapping.

    Args:
        content: settings; groups are mappings.
        where: the file they come from, for messages.

    Raises:
        ConfigError: an unknown or wrong setting.
    """
    try:
        # A fine-tuned run also names the run it began with.
        return settings_from(RunConfig, {k: v for k, v in content.items() if k != "run"})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
