"""The data, the settings and the machine, as rows of text."""

from __future__ import annotations

import datetime
from typing import Any

from .record import Record

__all__ = ["data_facts", "environment_facts", "split_table"]

Facts = list[tuple[str, str]]

COLUMNS = {
    "sequences": "sequences",
    "measured": "of these measured",
    "distinct": "distinct",
    "tokens": "tokens",
    "mean_length": "mean length",
    "max_length": "longest",
    "unknown_share": "unknown tokens",
    "shared": "also in training",
    "ngram_overlap": "4-grams also in training",
}
SHARES = ("unknown_share", "ngram_overlap")


def data_facts(record: Record) -> Facts:
    """Facts about the data set."""
    report = record.results.get("data") or {}
    facts: Facts = [("source", str(record.results.get("source", record.config.get("data", ""))))]
    for flag, title in (("test_data", "test file"), ("validation_data", "validation file")):
        if record.config.get(flag):
            facts.append((title, str(record.config[flag])))
    for key, title in (
        ("tokenizer", "tokenizer"),
        ("vocabulary_size", "vocabulary, special tokens counted"),
        ("max_length", "longest sequence, tokens"),
        ("sentences", "distinct sentences of the source"),
        ("entropy", "entropy of the source, nats per sequence"),
        ("left_out", "training sequences left out"),
    ):
        if report.get(key):
            facts.append((title, _text(report[key])))
    for file in report.get("files", []):
        facts.append((str(file.get("path", "file")), _file(file)))
    return facts


def split_table(record: Record) -> tuple[list[str], list[list[str]]]:
    """The splits: titles of the columns, and a row a split that begins with its name."""
    splits = (record.results.get("data") or {}).get("splits") or {}
    keys = [key for key in COLUMNS if any(key in split for split in splits.values())]
    rows = []
    for name, split in splits.items():
        cells = []
        for key in keys:
            own = name == "train" and key in ("shared", "ngram_overlap")
            cells.append("" if own else _text(split.get(key), share=key in SHARES))
        rows.append([name, *cells])
    return ["split", *(COLUMNS[key] for key in keys)] if rows else [], rows


def environment_facts(record: Record) -> Facts:
    """Versions, machine, command, seed, times."""
    known = dict(record.environment)
    packages = known.pop("packages", None) or {}
    for name in ("command", "folder"):  # a report may be shown to others
        known.pop(name, None)
    facts: Facts = [("command", record.command), ("seed", str(record.config.get("seed", "")))]
    times = [line["time"] for lines in record.log.values() for line in lines if "time" in line]
    if times:
        facts.append(("logged", f"{_moment(min(times))} to {_moment(max(times))}"))
    facts += [(key, str(value)) for key, value in known.items() if value is not None]
    return facts + [(name, str(version)) for name, version in packages.items()]


def _moment(seconds: float) -> str:
    """A time of day in UTC, the same wherever the report is made."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _file(file: dict[str, Any]) -> str:
    parts = [f"{file.get('lines', 0):,} lines"]
    for key, text in (
        ("empty", "empty"),
        ("too_long", "too long"),
        ("repeated", "repeated"),
        ("special_words", "words spelled like a special token"),
    ):
        if file.get(key):
            parts.append(f"{file[key]:,} {text}")
    return ", ".join(parts)


def _text(value: Any, share: bool = False) -> str:
    if value is None:
        return "–"
    if share:
        return f"{100 * value:.1f}%"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
