"""The settings in which the run of a method differs from ``seqgan run --method NAME``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from seqgan.config import RunConfig

from .results import Result
from .suite_files import METHOD_GROUPS, START_GROUPS

__all__ = ["changed"]


def changed(result: Result) -> list[str]:
    """The settings in which a run differs from ``seqgan run --method NAME`` of the same size.

    Data, MLE model and evaluation are the suite's, and not among them; the generator is where the
    method began with one of its own.

    Args:
        result: of the arm that has the method's name.
    """
    there, size = result["config"], result["size"]
    usual = asdict(RunConfig(method=result["arm"], size=size, data=there["data"]))
    own = (result.get("method") or {}).get("own_start", False)
    groups = START_GROUPS if own else METHOD_GROUPS
    return [line for group in groups for line in _changes(there[group], usual[group], group)]


def _changes(there: Any, usual: Any, name: str) -> list[str]:
    """Lines on what differs, in the order of the settings; new and former settings are left out."""
    if isinstance(there, dict) and isinstance(usual, dict):
        shared = [key for key in usual if key in there]
        return [
            line for key in shared for line in _changes(there[key], usual[key], f"{name}.{key}")
        ]
    return [] if there == usual else [f"{name} {_shown(there)} ({_shown(usual)})"]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace('"', "")
