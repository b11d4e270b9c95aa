"""The comparison table: metrics down, models across."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .console import ARROWS, LABELS
from .record import MODELS, Record

__all__ = ["Cell", "Group", "Row", "score_table"]

GROUPS = {
    "Likelihood and diversity": (
        "nll",
        "nll-word",
        "nll-char",
        "entropy",
        "reverse-perplexity",
        "judge-nll",
        "judge-nll-char",
    ),
    "Distance from the source": ("js", "forward-kl", "reverse-kl", "nll-source", "parses"),
    "Overlap with real sequences: n-grams of the samples that occur in real ones": ("bleu-",),
    "Overlap with real sequences: n-grams of real sequences that occur in the samples": (
        "backward-bleu-",
        "bleu-f1-",
        "ms-jaccard-",
    ),
    "Distance between embeddings of samples and of real sequences": ("fed", "mauve"),
    "Overlap with each other: n-grams of a sample that occur in the others": ("self-bleu-",),
    "Variety": ("distinct-", "unique", "repetition-", "copied", "longest-copied", "length"),
}
"""Titles, and the metrics below them; a name that ends in a hyphen takes every order."""

MEANINGS = {
    "nll": "how badly real sequences that it never saw are predicted",
    "nll-word": "the same, divided by words; unknown words are spelled out",
    "nll-char": "the same, divided by characters: compares any two tokenizers",
    "reverse-perplexity": "of real sequences under a small model trained on the samples",
    "judge-nll": "how unlikely a pretrained model finds the texts; lower than real is no praise",
    "judge-nll-char": "the same, divided by characters",
    "fed": "embeddings of samples against those of real sequences",
    "mauve": "the same embeddings; 1 where they cannot be told apart",
    "backward-bleu-": "n-grams of real sequences that occur in samples",
    "bleu-f1-": "harmonic mean of BLEU in both directions",
    "ms-jaccard-": "how alike the frequencies of n-grams are",
    "repetition-": "n-grams that a sample repeats within itself",
    "longest-copied": "longest piece that stands in the training data, mean of the samples",
    "entropy": "how varied the model's own output is",
    "nll-source": "how unlikely the samples are for the source of the data",
    "forward-kl": "punishes a model that misses part of the data",
    "reverse-kl": "punishes a model that writes what the source would not",
    "js": "from 0 (the same distribution) to 0.693 (nothing in common)",
    "parses": "sequences that the grammar could have written",
    "distinct-": "different n-grams among all n-grams",
    "unique": "samples that are no copy of another",
    "copied": "samples that stand in the training data word for word",
    "length": "mean of the samples",
}
NAMES = {
    "bleu-": "BLEU-{}",
    "backward-bleu-": "backward BLEU-{}",
    "bleu-f1-": "BLEU-{}, F1 of both ways",
    "ms-jaccard-": "MS-Jaccard-{}",
    "self-bleu-": "self-BLEU-{}",
    "distinct-": "distinct {}-grams, share",
    "repetition-": "repeated {}-grams, share",
}
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
        cells: one a model, None where the model has no such score.
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
    """The titles of the columns, and the rows in groups; both empty where there are no scores."""
    scores = record.results.get("scores") or {}
    columns = [name for name in MODELS if name in scores]
    columns += [name for name in scores if name not in MODELS]
    found = {name: {score["name"]: score for score in scores[name]} for name in columns}
    names = list(dict.fromkeys(name for column in found.values() for name in column))
    groups = []
    for title, members in {**GROUPS, "Other": ("",)}.items():
        chosen = sorted(
            (name for name in names if _is_one(name, members)),
            key=lambda name: (_rank(name, members), name),
        )
        names = [name for name in names if name not in chosen]
        if chosen:
            groups.append(Group(title, [_row(name, list(found.values())) for name in chosen]))
    return [MODELS.get(name, name) for name in columns], groups


def _is_one(name: str, members: tuple[str, ...]) -> bool:
    return members == ("",) or _family(name) in members


def _rank(name: str, members: tuple[str, ...]) -> int:
    return members.index(_family(name)) if _family(name) in members else 0


def _family(name: str) -> str:
    """``self-bleu-4`` is one of ``self-bleu-``."""
    return re.sub(r"(?<=-)\d+$", "", name)


def _row(name: str, columns: list[dict[str, dict[str, Any]]]) -> Row:
    scores = [column.get(name) for column in columns]
    known = [score for score in scores if score is not None]
    direction = known[0]["direction"]
    family, digits = _family(name), _digits([score["value"] for score in known])
    label = LABELS.get(name) or NAMES.get(family, "{0}").format(name.removeprefix(family) or name)
    if any("only:parsing" in score["signature"] for score in known):
        label += ", parsing samples only"
    cells = [None if score is None else _cell(score, digits) for score in scores]
    meaning = MEANINGS.get(family, "")
    return Row(label, ARROWS.get(direction, ""), WAYS.get(direction, ""), meaning, cells)


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
