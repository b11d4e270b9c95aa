"""Result files that a command goes on with: rows are added, all of one code, machine and settings.

A row that other code or another machine measured would look as if it were of these, so a file that
was begun elsewhere is refused.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .results import machine

__all__ = ["begun", "facts"]


def facts(**settings: Any) -> dict[str, Any]:
    """Command, versions, machine and state of the code, and what else fixes the rows."""
    here = machine()
    return {"command": here.pop("command"), "environment": here, **settings}


def begun(path: Path, rows: str = "runs", **settings: Any) -> dict[str, Any]:
    """The content of a result file, or of a new one.

    Args:
        path: of the file.
        rows: key of the list that grows.
        settings: what fixes the rows; no tuples, since a file has none.

    Raises:
        SystemExit: with code 2: the file holds rows of other code, another machine or other
            settings.
    """
    now: dict[str, Any] = {**facts(**settings), rows: []}
    if not path.is_file():
        return now
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    environment = {**found, **found.get("environment", {})}
    for name, value in {**now["environment"], **settings}.items():
        if environment.get(name) != value:
            print(
                f"{path} holds rows of another {name} ({environment.get(name)}; now {value}); "
                "name another file",
                file=sys.stderr,
            )
            raise SystemExit(2)
    return found
