"""The comparison table: metrics down, models across."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..metrics.catalogue import ARROWS, CATALOGUE, GROUPS, family, find, label
from .record import MODELS, Record

__all__ = ["Cell", "Group", "Row", "score_table"]

OTHER = "Other"
PLACES = {name: place for place, name in enumerate(CATALOGUE)}
WAYS = {"higher": "higher is better", "lower": "lower is better", "none": ""}


@dataclass(frozen=True)
class Cell:
    """A value as text.

    Attributes:
        value: rounded.
        interval: the same, or empty where none is known.
        signature: what reproduces it.
    """

    value: str
    interval: str
    signature: str


@dataclass(frozen=True)
class Row:
    """A metric.

    Attributes:
        label: its name for people.
        arrow: up where higher is better, down where lower is, or empty.
        way: the arrow in words.
        meaning: what it tells, in a few words.
        cells: one per model; None if the model has no such score.
    """

    label: str
    arrow: str
    way: str
    meaning: str
    cells: list[Cell | None]


@dataclass(frozen=True)
class Group:
    """Metrics that belong together."""

    title: str
    rows: list[Row]


def score_table(record: Record) -> tuple[list[str], list[Group]]:
    """The titles of the columns, and the rows in groups; both empty if there are no scores."""
    scores = record.results.get("scores") or {}
    columns = [name for name in MODELS if name in scores]
    columns += [name for name in scores if name not in MODELS]
    found = {name: {score["name"]: score for score in scores[name]} for name in columns}
    names = list(dict.fromkeys(name for column in found.values() for name in column))
    groups = []
    for title in (*GROUPS, OTHER):
        chosen = sorted((name for name in names if _group(name) == title), key=_place)
        if chosen:
            groups.append(Group(title, [_row(name, list(found.values())) for name in chosen]))
    return [MODELS.get(name, name) for name in columns], groups


def _group(name: str) -> str:
    entry = find(name)
    return OTHER if entry is None else entry.group


def _place(name: str) -> tuple[int, str]:
    """Key that sorts metrics as the catalogue does, and orders of one family by number."""
    return PLACES.get(family(name), len(PLACES)), name


def _row(name: str, columns: list[dict[str, dict[str, Any]]]) -> Row:
    scores = [column.get(name) for column in columns]
    known = [score for score in scores if score is not None]
    direction = known[0]["direction"]
    digits = _digits([score["value"] for score in known])
    text, entry = label(name), find(name)
    if any("only:parsing" in score["signature"] for score in known):
        text += ", parsing samples only"
    cells = [None if score is None else _cell(score, digits) for score in scores]
    meaning = "" if entry is None else entry.meaning
    return Row(text, ARROWS.get(direction, ""), WAYS.get(direction, ""), meaning, cells)


def _digits(values: list[float]) -> int:
    """Decimals that suit the largest of the values."""
    largest = max(abs(value) for value in values)
    return 2 if largest >= 10 else 3 if largest >= 0.1 else 4


def _cell(score: dict[str, Any], digits: int) -> Cell:
    interval = ""
    if score["interval"] is not None:
        low, high = score["interval"]
        interval = f"[{low:.{digits}f}, {high:.{digits}f}]"
    return Cell(f"{score['value']:.{digits}f}", interval, score["signature"])
