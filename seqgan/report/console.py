"""Tables for the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from ..evaluation.answer import Answer
from ..evaluation.reward_rows import TITLES as OBJECTIVE
from ..metrics import Score
from ..metrics.catalogue import ARROWS, score_label
from ..terminal import say

__all__ = ["print_objective", "print_results"]

TITLES = {
    "mle": "MLE",
    "finetuned": "fine-tuned",
    "control": "control",
    "real": "real (test)",
    "samples": "samples",
}


def print_results(
    console: Console,
    scores: dict[str, list[Score]],
    samples: dict[str, list[str]],
    said: Answer | None,
) -> None:
    """Prints samples of each model, the comparison table, and the answer with its cautions."""
    for name, lines in samples.items():
        if lines:
            console.print(f"\nSamples: {TITLES[name]}", style="bold")
        for line in lines:
            say(console, f"  {line}")
    console.print()
    console.print(scores_table(scores))
    if said is not None:
        console.print(f"\nVerdict: {said.label}", style="bold")
        say(console, said.sentence)
        console.print("\nRead with care", style="bold")
        for caution in said.cautions:
            say(console, f"- {caution}")


def print_objective(console: Console, found: dict[str, Any]) -> None:
    """Prints how the models fare by a reward of the user's, and the verdict.

    Args:
        console: the terminal.
        found: the entry "objective" of results.json.
    """
    table = Table(title="Mean reward of fresh samples (± half the interval)")
    table.add_column("model")
    for name in ("reward", "distinct", "new", "KL to MLE", "calls"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found["rows"]:
        half = (row["high"] - row["low"]) / 2
        table.add_row(
            OBJECTIVE[row["name"]], f"{row['reward']:.4f} ± {half:.4f}", f"{row['unique']:.1%}",
            f"{row['novel']:.1%}", f"{row['kl']:.2f}", f"{row['calls']:,}",
        )  # fmt: skip
    console.print()
    console.print(table)
    console.print(f"\nVerdict: {found['label']}", style="bold")
    say(console, found["sentence"])


def scores_table(scores: dict[str, list[Score]]) -> Table:
    """Metrics down, models across; value and the longer side of its interval in each cell.

    The control has its values alone: a terminal of 80 columns has no room for more.
    """
    table = Table(
        title="Comparison at temperature 1 (± the longer side of the interval over sequences)"
    )
    table.add_column("metric", overflow="fold")  # a name that is cut may be another metric's
    for name in scores:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    columns = dict(scores)
    if "control" in columns:
        columns["control"] = [replace(score, interval=None) for score in columns["control"]]
    _add_rows(table, list(columns.values()))
    return table


def _add_rows(table: Table, scores: list[list[Score]]) -> None:
    """A row per metric, a column per model."""
    found = [{score.name: score for score in column} for column in scores]
    everything = [score for column in scores for score in column]
    for name in dict.fromkeys(score.name for score in everything):
        direction = next(score.direction for score in everything if score.name == name)
        cells = [_cell(column.get(name)) for column in found]
        table.add_row(f"{score_label(name, everything)} {ARROWS[direction]}".rstrip(), *cells)


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    if score.interval is None:
        return f"{score.value:.3f}"
    reach = max(score.interval[1] - score.value, score.value - score.interval[0])
    return f"{score.value:.3f} [dim]± {reach:.3f}[/dim]"
