"""Tables for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from .comparison import Comparison
from .metrics import Score

__all__ = ["print_results"]

ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
TITLES = {
    "mle": "MLE",
    "adversarial": "adversarial",
    "real": "real (test)",
}
LABELS = {
    "nll": "held-out NLL, nats a token",
    "entropy": "own entropy, nats a token",
    "nll-source": "NLL under the source, nats a token",
    "forward-kl": "forward KL, nats a sequence",
    "reverse-kl": "reverse KL, nats a sequence",
    "js": "Jensen-Shannon, nats a sequence",
    "parses": "share that parses",
    "unique": "share of unique sequences",
    "copied": "share found in the training data",
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
    comparison: Comparison | None,
) -> None:
    """Prints samples of each model, the comparison table, and the verdict."""
    for name, lines in samples.items():
        if lines:
            console.print(f"\nSamples: {TITLES[name]}", style="bold")
        for line in lines:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    console.print()
    console.print(scores_table(scores))
    if comparison is not None:
        console.print("\nVerdict", style="bold")
        console.print(comparison.verdict.sentence, markup=False, highlight=False, soft_wrap=True)


def scores_table(scores: dict[str, list[Score]]) -> Table:
    """Metrics down, models across; value and half the width of its interval in each cell."""
    table = Table(title="Comparison at temperature 1 (± half the interval over sequences)")
    table.add_column("metric")
    for name in scores:
        table.add_column(TITLES[name], justify="right")
    found = {name: {score.name: score for score in row} for name, row in scores.items()}
    everything = [score for row in scores.values() for score in row]
    for name in dict.fromkeys(score.name for score in everything):
        direction = next(score.direction for score in everything if score.name == name)
        cells = [_cell(row.get(name)) for row in found.values()]
        table.add_row(f"{label(name, everything)} {ARROWS[direction]}".rstrip(), *cells)
    return table


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    if score.interval is None:
        return f"{score.value:.3f}"
    half = (score.interval[1] - score.interval[0]) / 2
    return f"{score.value:.3f} [dim]± {half:.3f}[/dim]"
