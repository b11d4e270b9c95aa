"""Results against results: methods against controls and rivals, or folder against folder."""

from __future__ import annotations

import numpy as np

from seqgan.errors import ConfigError
from seqgan.evaluation.significance import student_mean
from seqgan.metrics.catalogue import (
    ARROWS,
    ENTROPY,
    JENSEN_SHANNON,
    NLL,
    NLL_SOURCE,
    label,
)

from .overview import short
from .results import Result
from .statistics import holm
from .table import Table
from .verdict_cells import difference_cells
from .verdicts import SuiteVerdict, against_controls, against_rivals

__all__ = ["controls_table", "folders_table", "rivals_table"]

SCORES = (NLL, ENTROPY, NLL_SOURCE, JENSEN_SHANNON, "bleu-3", "self-bleu-3")


def controls_table(results: list[Result]) -> Table:
    """Every method against the same training with a constant or random reward.

    Raises:
        ConfigError: no method has a control.
    """
    found = against_controls(results)
    if not found:
        raise ConfigError("the results hold no method beside a control of its own")
    about = (
        "A method minus its control: below 0 is better. With a random reward at equal diversity; "
        "with another, how much further than its control a method came from swept MLE, each at "
        "its own diversity. A method that is not better than its control owes nothing "
        "to its reward."
    )
    return _pairs("controls", "Methods against their controls", "control", found, about)


def rivals_table(size: str, results: list[Result]) -> Table | None:
    """Methods against what else their training compute could have been spent on.

    Args:
        size: name.
        results: all of that size.

    Returns:
        A row per method, rival and suite; None where no method has a rival that was run.
    """
    found = sorted(against_rivals(results), key=lambda row: (row.arm, row.against))
    if not found:
        return None
    about = (
        "How much further than its rival a method came from swept MLE, each at its own diversity: "
        "below 0 is better. Rivals are other uses of the method's training compute, and parts of "
        "the method by themselves. Resamples are taken in pairs; p-values are corrected over the "
        "suites of a pair (Holm)."
    )
    title = f"Methods against their rivals, size {size}"
    return _pairs(f"rivals-{size}", title, "rival", found, about)


def _pairs(name: str, title: str, other: str, found: list[SuiteVerdict], about: str) -> Table:
    """A row per verdict on a method against another arm."""
    rows = [
        [row.arm, row.against, f"{row.suite} {row.size}", short(row.metric),
         str(len(row.seeds)), *difference_cells(row), row.label]
        for row in found
    ]  # fmt: skip
    columns = [
        "method", other, "suite", "metric", "seeds", "difference ↓",
        f"{found[0].confidence:.0%} interval", "p", "p (Holm)", "the method is",
    ]  # fmt: skip
    return Table(name, title, columns, rows, [about])


def folders_table(first: list[Result], second: list[Result], names: tuple[str, str]) -> Table:
    """The same arms of two folders, over the seeds that both have.

    Raises:
        ConfigError: they have no cell in common.
    """
    rows, p_values = [], []
    others = {(r["suite"], r["size"], r["arm"], r["seed"]): r for r in second}
    pairs: dict[tuple[str, str, str], list[tuple[Result, Result]]] = {}
    for result in first:
        key = (result["suite"], result["size"], result["arm"])
        if (*key, result["seed"]) in others:
            pairs.setdefault(key, []).append((result, others[(*key, result["seed"])]))
    if not pairs:
        raise ConfigError(f"{names[0]} and {names[1]} have no suite, size, arm and seed in common")
    for (suite, size, arm), cells in pairs.items():
        for name in SCORES:
            values = np.array([[_value(result, name) for result in pair] for pair in cells])
            if np.isnan(values).any():
                continue
            change = values[:, 1] - values[:, 0]
            p_value = float("nan")
            if len(change) > 1:
                p_value = student_mean(change).p_value
            arrow = ARROWS[next(s["direction"] for s in cells[0][0]["scores"] if s["name"] == name)]
            head = [
                f"{suite} {size}",
                arm,
                f"{label(name, unit=False)} {arrow}".rstrip(),
                str(len(cells)),
            ]
            means = [f"{mean:.4f}" for mean in values.mean(0)]
            rows.append([*head, *means, f"{change.mean():+.4f}"])
            p_values.append(p_value)
    tested = [i for i, p_value in enumerate(p_values) if not np.isnan(p_value)]
    corrected = dict(zip(tested, holm([p_values[i] for i in tested]), strict=True))
    rows = [[*row, f"{corrected[i]:.3f}" if i in corrected else ""] for i, row in enumerate(rows)]
    columns = ["suite", "arm", "score", "seeds", names[0], names[1], "change", "p (Holm)"]
    notes = [
        "Paired by seed; p-values of Student's t over seeds, corrected over the table. With one "
        "seed there is none."
    ]
    return Table("folders", f"{names[0]} and {names[1]}", columns, rows, notes)


def _value(result: Result, name: str) -> float:
    return next((s["value"] for s in result["scores"] if s["name"] == name), float("nan"))
