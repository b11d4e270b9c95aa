"""Times that benchmarks may take, from results that are there and a list of estimates."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

from .arm_names import chosen_arms
from .cell import CellJob
from .reading import read_yaml
from .results import CellPlace, read_arm

__all__ = ["estimate"]

SECONDS = Path(__file__).parent / "seconds.yaml"
"""Seconds per suite, size and arm, worked out by hand from the times of their parts."""
WORTH_SAYING = 60
"""Seconds of work below which nothing is said."""


def estimate(jobs: list[CellJob], workers: int) -> Iterator[str]:
    """Yields a line per suite and a total about the work that is left, if it takes long.

    Args:
        jobs: all cells.
        workers: cells that run at a time.
    """
    lines, total, unknown = [], 0.0, False
    for name, cells in _by_suite(jobs).items():
        arms = chosen_arms(cells[0].suite.arms(cells[0].place.size, 0), cells[0].arms)
        names = [arm.name for arm in arms]
        left = [n for cell in cells for n in names if not cell.place.arm(n).is_file()]
        if not left:
            continue
        known = _known(cells[0].place)
        typical = statistics.median(known.values()) if known else None
        seconds = sum(known.get(n, typical or 0.0) for n in left)
        total += seconds
        guessed = sorted({n for n in left if n not in known})
        line = f"{name}: {len(cells)} cells, {len(left)} arms left"
        if typical is None:
            lines.append(f"{line}; no time is known for this size")
            unknown = True
            continue
        line += f", about {_words(seconds)} ({_words(seconds / len(cells))} per cell)"
        if guessed:
            line += f"; guessed for {', '.join(guessed)}"
        lines.append(line)
    if total > WORTH_SAYING or unknown:
        yield from lines
    if total > WORTH_SAYING:
        yield f"All together about {_words(total / max(1, min(workers, len(jobs))))}"


def _by_suite(jobs: list[CellJob]) -> dict[str, list[CellJob]]:
    found: dict[str, list[CellJob]] = {}
    for job in jobs:
        found.setdefault(job.suite.name, []).append(job)
    return found


def _known(place: CellPlace) -> dict[str, float]:
    """Seconds of each arm: the median of results in the output folder, else the measured list."""
    listed = read_yaml(SECONDS, SECONDS.name)["seconds"]
    known = {k: float(v) for k, v in listed.get(place.suite, {}).get(place.size, {}).items()}
    found: dict[str, list[float]] = {}
    for path in (place.root / place.suite / place.size).glob("seed-*/*.json"):
        result = read_arm(path)
        found.setdefault(result["arm"], []).append(float(result["wall_seconds"]))
    return known | {arm: statistics.median(values) for arm, values in found.items()}


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
