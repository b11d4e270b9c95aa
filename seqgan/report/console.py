"""Tables for the terminal."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.table import Table

from ..evaluation.answer import Answer
from ..metrics import Score
from ..terminal import say

__all__ = ["ARROWS", "LABELS", "label", "print_results"]

ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
TITLES = {
    "mle": "MLE",
    "adversarial": "adversarial",
    "control": "control",
    "real": "real (test)",
    "samples": "samples",
}
LABELS = {
    "nll": "held-out NLL, nats per token",
    "nll-word": "held-out NLL, nats per word",
    "nll-char": "held-out NLL, nats per character",
    "entropy": "own entropy, nats per token",
    "nll-source": "NLL under the source, nats per token",
    "forward-kl": "forward KL, nats per sequence",
    "reverse-kl": "reverse KL, nats per sequence",
    "js": "Jensen-Shannon, nats per sequence",
    "parses": "share that parses",
    "reverse-perplexity": "reverse perplexity, per token",
    "judge-nll": "NLL under the judge, nats per token of its own",
    "judge-nll-char": "NLL under the judge, nats per character",
    "fed": "Frechet embedding distance",
    "mauve": "MAUVE",
    "unique": "share of unique sequences",
    "copied": "share found in the training data",
    "longest-copied": "longest copied piece, tokens",
    "length": "length, tokens",
}


def label(name: str, scores: list[Score]) -> str:
    """A score's name for people, with what it is restricted to."""
    only = any(score.name == name and "only:parsing" in score.signature for score in scores)
    return LABELS.get(name, name) + (", parsing samples only" if only else "")


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
        table.add_row(f"{label(name, everything)} {ARROWS[direction]}".rstrip(), *cells)


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    if score.interval is None:
        return f"{score.value:.3f}"
    reach = max(score.interval[1] - score.value, score.value - score.interval[0])
    return f"{score.value:.3f} [dim]± {reach:.3f}[/dim]"
