"""The format of written settings."""

from __future__ import annotations

from .checks import require

__all__ = ["CONFIG_FORMAT", "check_format"]

CONFIG_FORMAT = 2
"""Format 1 was version 0.1's."""


def check_format(found: object) -> None:
    """Refuses settings of another format than this version's."""
    writer = "version 0.1, which still reads them" if found == 1 else "another version"
    require(
        found == CONFIG_FORMAT,
        f"config_format: {found}: these settings were written by {writer}; this version reads "
        f"format {CONFIG_FORMAT}",
    )
