"""Tables of experiments: the arms that answer one question, side by side.

Which suites and arms belong to a question stands in ``experiments.yaml``, the questions themselves
and what was expected of them in ``docs/experiments.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seqgan.evaluation.answer import LEAST_SAMPLES
from seqgan.evaluation.significance import label as plain_label
from seqgan.metrics.catalogue import ARROWS, find, label

from .overview import short
from .reading import Mapping, read_yaml
from .results import Result, grouped
from .score_cells import score_cell
from .table import Table
from .verdict_cells import difference_cells
from .verdicts import SuiteVerdict, against_controls

__all__ = ["experiment_tables", "experiments"]

EXPERIMENTS = Path(__file__).parent / "experiments.yaml"


def experiments() -> dict[str, Mapping]:
    """The experiments by name: suites, arms, and what stands beside the differences."""
    return read_yaml(EXPERIMENTS, EXPERIMENTS.name)


def experiment_tables(size: str, results: list[Result], found: list[SuiteVerdict]) -> list[Table]:
    """A table per experiment that has two arms or more, MLE among them.

    Args:
        size: name.
        results: of that size.
        found: the verdicts on them.
    """
    tables = (_table(name, facts, size, results, found) for name, facts in experiments().items())
    return [table for table in tables if table is not None]


def _table(
    name: str, facts: Mapping, size: str, results: list[Result], found: list[SuiteVerdict]
) -> Table | None:
    """The table of an experiment, or None where no arm of it was compared with MLE."""
    cells = grouped(results, "suite", "arm")
    rows = {(row.suite, row.arm): row for row in found}
    wanted = [(suite, arm) for suite in facts["suites"] for arm in ("mle", *facts["arms"])]
    present = [key for key in wanted if key in cells]
    if not any(key in rows for key in present):
        return None
    other, scores, rounds = (facts.get(key) for key in ("against", "scores", "rounds"))
    columns = ["arm", "suite", "metric", "seeds", "minus MLE ↓", "interval", "p", "p (Holm)"]
    columns += ["against MLE"]
    columns += [f"minus {other} ↓", "interval"] if other else []
    columns += [_title(score) for score in scores or ()]
    columns += ["best round", "last minus best, on validation"] if rounds else []
    lines = []
    for key in present:
        mine, row = cells[key], rows.get(key)
        line = [mine[0]["title"], key[0], "" if row is None else short(row.metric), str(len(mine))]
        line += [""] * 5 if row is None else [*difference_cells(row), _label(row)]
        line += _against(mine, cells.get((key[0], other), []), other) if other else []
        line += [score_cell(mine, score) for score in scores or ()]
        line += _rounds(mine) if rounds else []
        lines.append(line)
    return Table(
        f"experiment-{name}-{size}", f"Experiment: {name}, size {size}", columns, lines,
        _notes(wanted, present, results, bool(other), bool(scores)),
    )  # fmt: skip


def _label(row: SuiteVerdict) -> str:
    """The label against MLE alone, with or without a control."""
    if row.found is None:
        return row.label
    assert row.corrected is not None and row.practical is not None
    return plain_label(row.found.difference, row.corrected, row.practical, row.confidence)


def _title(score: str) -> str:
    metric = find(score)
    assert metric is not None, score
    return f"{label(score, unit=False)} {ARROWS[metric.direction]}".rstrip()


def _against(mine: list[Result], theirs: list[Result], other: str) -> list[str]:
    """Difference of an arm from another and its interval, over the seeds that both have."""
    arm = mine[0]["arm"]
    judged = all(each.get("verdict") for each in (*mine, *theirs))
    if arm == other or not judged or {x["seed"] for x in mine} != {x["seed"] for x in theirs}:
        return ["", ""]
    beside = [{**each, "control_of": arm, "arm": f"{other} beside"} for each in theirs]
    (row,) = against_controls([{**each, "control_of": None} for each in mine] + beside)
    return difference_cells(row)[:2]


def _rounds(cells: list[Result]) -> list[str]:
    """Mean over seeds of the round of the best validation score, and what came after it."""
    best, after = [], []
    for cell in cells:
        log: list[dict[str, Any]] = (cell.get("curves") or {}).get("validation", [])
        if log and cell.get("control_of") is None:
            values = [row["score"] for row in log]
            place = int(np.argmin(values))
            best.append(f"{log[place]['round']:g} of {log[-1]['round']:g}")
            after.append(values[-1] - values[place])
    return ["; ".join(best), f"{np.mean(after):+.4f}" if after else ""]


def _notes(
    wanted: list[tuple[str, str]],
    present: list[tuple[str, str]],
    results: list[Result],
    against: bool,
    scores: bool,
) -> list[str]:
    """Sentences below a table: what the columns are, and what is missing."""
    notes = [
        "Differences are of the primary metric from MLE at equal diversity, below 0 is better; "
        "intervals as in the table of verdicts, labels without a look at controls."
    ]
    if against:
        notes.append(
            "The difference from another arm says how much further than that one an arm came from "
            "MLE, draws in pairs, without a correction."
        )
    if scores:
        notes.append("Scores at temperature 1, as trained, and their spread over seeds.")
    missing = [f"{arm} in {suite}" for suite, arm in wanted if (suite, arm) not in present]
    if missing:
        notes.append(f"Not run: {', '.join(missing)}.")
    if any(x["config"].get("evaluation", {}).get("num_samples", LEAST_SAMPLES) < LEAST_SAMPLES
           for x in results):  # fmt: skip
        notes.append("Too small to judge: the table shows that everything works.")
    return notes
