"""Methods against what else their training compute could have been spent on."""

from __future__ import annotations

from .overview import short
from .results import Result
from .table import Table
from .verdict_cells import difference_cells
from .verdicts import against_rivals

__all__ = ["rivals_table"]


def rivals_table(size: str, results: list[Result]) -> Table | None:
    """A row per method, rival and suite; None where no method has a rival that was run.

    Args:
        size: name.
        results: all of that size.
    """
    found = against_rivals(results)
    if not found:
        return None
    rows = [
        [row.arm, row.against, row.suite, short(row.metric), str(len(row.seeds)),
         *difference_cells(row), row.label]
        for row in sorted(found, key=lambda row: (row.arm, row.against))
    ]  # fmt: skip
    columns = [
        "method", "rival", "suite", "metric", "seeds", "difference ↓",
        f"{found[0].confidence:.0%} interval", "p", "p (Holm)", "the method is",
    ]  # fmt: skip
    notes = [
        "How much further than its rival a method came from swept MLE, each at its own diversity: "
        "below 0 is better. Rivals are other uses of the method's training compute, and parts of "
        "the method by themselves. Resamples are taken in pairs; p-values are corrected over the "
        "suites of a pair (Holm)."
    ]
    return Table(
        f"rivals-{size}", f"Methods against their rivals, size {size}", columns, rows, notes
    )
