"""Settings out of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from .run import CONFIG_FORMAT, RunConfig, check_format
from .settings import settings_from

__all__ = ["read_settings", "run_config"]


def run_config(content: Mapping[str, Any], where: str) -> RunConfig:
    """A `RunConfig` from a mapping.

    Args:
        content: settings; groups are mappings.
        where: the file they come from, for messages.

    Raises:
        ConfigError: an unknown or wrong setting.
    """
    try:
        check_format(content.get("config_format", CONFIG_FORMAT))  # before names that it lacks
        # A fine-tuned run also names the run it began with.
        return settings_from(
            RunConfig, {k: v for k, v in content.items() if k not in ("run", "transfer")}
        )
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_settings(path: Path) -> dict[str, Any]:
    """The mapping that a settings file holds.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    if path.exists() and not path.is_file():  # a pipe, say, which could be read only once
        raise ConfigError(f"--config: {path}: not a file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--config: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--config: {path}: not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ConfigError(f"--config: {path}{line}: not plain YAML: {problem}") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(
            f"--config: {path}: a {type(content).__name__}, not a mapping of settings; "
            "--print_config shows what it looks like"
        )
    return content
