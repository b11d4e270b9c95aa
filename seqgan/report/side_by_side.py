"""Finished runs beside each other: what can be compared, and which value is best."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from ..config.names import TABLES
from ..metrics import Score
from ..metrics.catalogue import ARROWS, score_label
from ..runs.run_directory import RunDirectory

__all__ = ["WRITERS", "Column", "SideBySide", "as_table", "side_by_side"]

MARK = "*"
OTHER = ("seed", "version")
"""Parts of a signature that may differ between scores that are compared."""
NOTE = (
    f"{MARK} best: better than some other run by more than both intervals. The intervals are over "
    "the sequences of one training run each; what another seed would change is not in them."
)


@dataclass(frozen=True)
class Column:
    """A run.

    Attributes:
        run: its folder.
        data: what it was trained on, as it was named.
        fingerprint: of the splits; runs with the same one are measured on the same sequences.
        seed: of the training.
        model: finetuned, or mle if there is no other.
        verdict: on the fine-tuned model against MLE, or "-".
        scores: of the model, by name.
    """

    run: str
    data: str
    fingerprint: str
    seed: int
    model: str
    verdict: str
    scores: dict[str, Score]


@dataclass(frozen=True)
class SideBySide:
    """Runs with their scores.

    Attributes:
        columns: the runs.
        best: for each metric the places of the runs that are best; empty if none stands out.
        warnings: what keeps the runs, or some scores, from being compared.
    """

    columns: list[Column]
    best: dict[str, set[int]]
    warnings: list[str]

    def score(self, name: str) -> Score:
        """A score of a metric, which has its label and direction."""
        return next(c.scores[name] for c in self.columns if name in c.scores)

    def label(self, name: str) -> str:
        """A metric's name for people."""
        return score_label(
            name, [column.scores[name] for column in self.columns if name in column.scores]
        )


def side_by_side(runs: list[RunDirectory]) -> SideBySide:
    """Reads finished runs and compares their best models.

    Raises:
        RunDirectoryError: a run has no results yet, or does not say what it was trained on.
    """
    columns = [_column(run) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column.scores))
    warnings = _other_data(columns)
    found = {name: [column.scores.get(name) for column in columns] for name in names}
    alike = {name: len({_settings(s) for s in scores if s}) == 1 for name, scores in found.items()}
    if not warnings:
        unlike = [name for name in names if not alike[name]]
        warnings = _measured_otherwise(unlike)
        best = {name: _best(found[name]) if alike[name] else set() for name in names}
    else:
        best = {name: set() for name in names}
    return SideBySide(columns, best, warnings)


def _column(run: RunDirectory) -> Column:
    results = run.results()
    model = "finetuned" if results["scores"].get("finetuned") else "mle"
    scores = [Score(**_plain(score)) for score in results["scores"][model]]
    return Column(
        str(run.path),
        str(results["source"]),
        run.data_fingerprint(),
        int(results["seed"]),
        model,
        (results["verdict"] or results.get("objective") or {}).get("label", "-"),
        {score.name: score for score in scores},
    )


def _plain(score: dict[str, Any]) -> dict[str, Any]:
    """A score out of JSON, where an interval is a list."""
    interval = score["interval"]
    return {**score, "interval": None if interval is None else tuple(interval)}


def _other_data(columns: list[Column]) -> list[str]:
    """A warning if the runs are measured on different sequences."""
    groups: dict[str, list[Column]] = {}
    for column in columns:
        groups.setdefault(column.fingerprint, []).append(column)
    if len(groups) == 1:
        return []
    named = "; ".join(
        f"{', '.join(column.run for column in group)} on {group[0].data} ({fingerprint})"
        for fingerprint, group in groups.items()
    )
    return [
        f"Different data: {named}. Scores on different sequences, or on other splits of the same "
        "file, say nothing about which model is better, so no value is marked as the best."
    ]


def _measured_otherwise(names: list[str]) -> list[str]:
    if not names:
        return []
    return [
        f"Measured differently in these runs, so no best value is marked: {', '.join(names)}; give "
        "the runs the same --evaluation settings (seqgan evaluate measures them again)."
    ]


def _settings(score: Score) -> tuple[str, ...]:
    """The settings that must be the same in two scores that are compared."""
    parts = score.signature.split("|")
    return tuple(part for part in parts if part.split(":")[0] not in OTHER)


def _best(scores: list[Score | None]) -> set[int]:
    """The places of the best value, and of those whose interval overlaps with its interval.

    Empty if these are all: then no run is told apart from the others.
    """
    found = {place: score for place, score in enumerate(scores) if score is not None}
    first = next(iter(found.values()))
    if first.direction == "none":
        return set()
    pick: Callable[..., int] = max if first.direction == "higher" else min
    low, high = _range(found[pick(found, key=lambda place: found[place].value)])
    best = {
        place
        for place, score in found.items()
        if _range(score)[0] <= high and low <= _range(score)[1]
    }
    return best if len(best) < len(found) else set()


def _range(score: Score) -> tuple[float, float]:
    return score.interval or (score.value, score.value)


def as_table(found: SideBySide) -> Table:
    """The terminal's table."""
    table = Table(
        title="Runs: scores of the fine-tuned model (MLE where there is no other)",
        caption=NOTE if any(found.best.values()) else None,
    )
    table.add_column("", overflow="fold")
    for column in found.columns:
        table.add_column(column.run, justify="right", overflow="fold")
    for row in _rows(found):
        table.add_row(*row)
    return table


def as_markdown(found: SideBySide) -> str:
    """The same table in Markdown; the best values are bold."""
    header = ["", *(column.run for column in found.columns)]
    rows = [header, ["---", *["---:"] * len(found.columns)], *_rows(found, "**{}**")]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    notes = [
        *found.warnings,
        *([NOTE.replace(MARK, "Bold:", 1)] if any(found.best.values()) else []),
    ]
    return "# Runs side by side\n\n" + "\n".join(lines) + "\n" + "".join(f"\n{n}\n" for n in notes)


def as_csv(found: SideBySide) -> str:
    """Rows of all runs and metrics, one per pair."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["run", "data", "fingerprint", "seed", "model", "verdict", "metric", "direction", "value",
         "low", "high", "n", "best", "signature"]
    )  # fmt: skip
    for place, column in enumerate(found.columns):
        about = [column.run, column.data, column.fingerprint, column.seed, column.model]
        for name, score in column.scores.items():
            low, high = score.interval or ("", "")
            writer.writerow(
                [*about, column.verdict, name, score.direction, score.value, low, high, score.n,
                 place in found.best[name], score.signature]
            )  # fmt: skip
    return file.getvalue()


def as_json(found: SideBySide) -> str:
    """The runs with their scores, and the warnings."""
    runs = []
    for place, column in enumerate(found.columns):
        scores = [
            {**asdict(score), "best": place in found.best[name]}
            for name, score in column.scores.items()
        ]
        runs.append({**asdict(column), "scores": scores})
    return json.dumps({"format": 1, "runs": runs, "warnings": found.warnings}, indent=2) + "\n"


WRITERS: dict[str, Callable[[SideBySide], str]] = dict(
    zip(TABLES, (as_markdown, as_csv, as_json), strict=True)
)
"""The form of a file by its ending."""


def _rows(found: SideBySide, best: str = "{} " + MARK) -> list[list[str]]:
    """The cells of the table; `best` is the form of a marked one."""
    columns = found.columns
    rows = [
        ["data", *(column.data for column in columns)],
        ["fingerprint of the data", *(column.fingerprint for column in columns)],
        ["seed", *(str(column.seed) for column in columns)],
        ["model", *(column.model for column in columns)],
        ["verdict", *(column.verdict for column in columns)],
    ]
    for name, places in found.best.items():
        cells = [_cell(column.scores.get(name)) for column in columns]
        marked = [best.format(c) if place in places else c for place, c in enumerate(cells)]
        rows.append(
            [f"{found.label(name)} {ARROWS[found.score(name).direction]}".rstrip(), *marked]
        )
    return rows


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    if score.interval is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ± {(score.interval[1] - score.interval[0]) / 2:.3f}"
