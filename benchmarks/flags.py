"""Nested settings as flags of the command line."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["flags_of"]


def flags_of(settings: dict[str, Any], before: str = "--") -> list[tuple[str, str]]:
    """Flags such as ``--pretrain.epochs`` with their values, in the order of the settings.

    Args:
        settings: values, and groups of them.
        before: what a flag begins with.
    """
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            found += flags_of(value, f"{before}{name}.")
        else:
            found.append((before + name, value if isinstance(value, str) else json.dumps(value)))
    return found
