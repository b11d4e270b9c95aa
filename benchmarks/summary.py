"""The first table of the README: a row per suite, the best MLE and the main methods beside it."""

from __future__ import annotations

from seqgan.evaluation.answer import TOO_SMALL

from .arm_names import arm_set
from .best_mle import best_mle
from .overview import HOLM, not_run, short, verdict_cell
from .results import Result, grouped
from .suite_files import REWARDS
from .table import Table
from .verdict_table import GOING_ON
from .verdicts import SuiteVerdict

__all__ = ["summary_table"]

MAIN = "main"
"""The set of arms, in the common file."""


def summary_table(size: str, results: list[Result], found: list[SuiteVerdict]) -> Table | None:
    """Suites down, the best MLE and the main methods across, each with its controls.

    Args:
        size: name.
        results: of that size.
        found: the verdicts on them.

    Returns:
        The table; None: none of the main methods was run, or so little of them that nothing can
        be judged.
    """
    rows = {(row.arm, row.suite): row for row in found}
    wanted = [arm for arm in arm_set(MAIN) if _is_main(arm, found)]
    if not any(_judged(row) for (arm, _), row in rows.items() if arm in wanted):
        return None
    titles = {row.arm: row.title for row in found}
    lines = []
    for (suite,), cells in grouped(results, "suite").items():
        best = best_mle(cells)
        metric = next((short(row.metric) for row in found if row.suite == suite), "")
        lines.append(
            [
                suite,
                metric,
                "–" if best is None else str(best),
                *(_cell(rows, arm, suite) for arm in wanted),
            ]
        )
    columns = ["suite", "metric ↓", "best MLE", *(titles[arm] for arm in wanted)]
    notes = [
        "Best MLE: the primary metric of the MLE arm and the way of sampling that are best on "
        "validation, mean over seeds ± standard deviation. Beside it each method's difference from "
        "the MLE model that it begins with, at equal diversity, with interval and verdict: below 0 "
        "is better. In brackets the verdicts on the same training with a random and with a "
        "constant reward. A dash: not run.",
        HOLM,
        *not_run(results),
    ]
    return Table(f"summary-{size}", f"The main methods, size {size}", columns, lines, notes)


def _is_main(arm: str, found: list[SuiteVerdict]) -> bool:
    """Tells if an arm of the set has a column: methods, and MLE going on."""
    return any(row.arm == arm and (row.kind == "method" or arm == GOING_ON) for row in found)


def _judged(row: SuiteVerdict) -> bool:
    return row.kind == "method" and row.label != TOO_SMALL


def _cell(rows: dict[tuple[str, str], SuiteVerdict], arm: str, suite: str) -> str:
    """A method's difference and verdict, and the labels of its controls in brackets."""
    controls = {reward: rows.get((f"{arm}-{reward}", suite)) for reward in reversed(REWARDS)}
    told = [f"{reward}: {row.label}" for reward, row in controls.items() if row is not None]
    text = verdict_cell(rows.get((arm, suite)))
    return f"{text} ({', '.join(told)})" if told else text
