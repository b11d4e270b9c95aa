"""The tables of docs/molecules.md, out of the results of `molecules`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from seqgan.evaluation.reward_rows import TITLES
from seqgan.metrics import wilson_interval

from .molecule_settings import EVALUATION, GOALS, KEPT, MOLECULES, TUNINGS

__all__ = ["OUTPUT", "PAGE", "TABLES", "filled", "goal_table", "mask_table"]

TIMED = (
    " Seconds of the wall clock: of sampling and judging, of training on the best tenth, and of "
    "fine-tuning."
)
HERE = Path(__file__).parent
OUTPUT, PAGE = HERE / "results", HERE.parent / "docs" / "molecules.md"


def mask_table(content: dict[str, Any]) -> str:
    """Samples with the constraint and without it, in Markdown."""
    lines = [
        "| constraint | valid | distinct | processor time per sample, ms | new prefixes |",
        "|---|---:|---:|---:|---:|",
    ]
    count = content["samples"]
    for row in content["rows"]:
        low, high = wilson_interval(row["valid"] / count, count, 0.95)
        name = f"smiles, draw {row['draw']}" if "draw" in row else "none"
        lines.append(
            f"| {name} | {row['valid'] / count:.1%} [{low:.1%}, {high:.1%}] | "
            f"{row['distinct'] / count:.1%} | {1000 * row['processor_seconds'] / count:.1f} | "
            f"{row.get('prefixes', 0):,} |"
        )
    return "\n".join(lines)


def goal_table(content: dict[str, Any], goal: str) -> str:
    """Models by their mean reward over the seeds, in Markdown."""
    everything, title = content["seeds"], GOALS[goal][0]
    kept = [each for each in everything if each["settings"] == KEPT] or everything
    timed = all("arm_seconds" in each for each in everything)
    lines = [
        _line(name, found, _seconds(kept, key) if timed else None)
        for key, name in TITLES.items()
        if key != "finetuned" and (found := _rows(kept, key))
    ]
    verdicts = []
    for name in TUNINGS:
        seeds = [each for each in everything if each["settings"] == name]
        if seeds:
            spent = _seconds(seeds, "finetuned") if timed else None
            lines.append(_line(f"fine-tuned, `{name}`", _rows(seeds, "finetuned"), spent))
            labels = ", ".join(each["objective"]["label"] for each in seeds)
            verdicts.append(f"`{name}` {labels}")
    seconds = [each["processor_seconds"] for each in everything]
    return "\n".join(
        [
            f"| model | {title}, 0 if invalid | valid | {title} of valid ones | distinct | new | "
            f"KL from MLE, nats | seeds | reward calls |{' seconds |' * timed}",
            f"|---|---:|---:|---:|---:|---:|---:|---:|---:|{'---:|' * timed}", *lines, "",
            f"From one MLE run ({MOLECULES:,} molecules): means over the seeds; in brackets the "
            "ends of their 95% intervals, the lowest and the highest. Verdicts of the seeds: "
            f"{'; '.join(verdicts)}. Processor time of a run, all arms and metrics: "
            f"{_between(seconds)} s.{TIMED * timed}",
            *_command(content),
        ]
    )  # fmt: skip


def _rows(seeds: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows of a model in all seeds."""
    return [row for each in seeds for row in each["objective"]["rows"] if row["name"] == name]


def _command(content: dict[str, Any]) -> list[str]:
    """The command of the first seed: with the settings that are kept, if they were measured."""
    commands, measured = content.get("commands", {}), [x["settings"] for x in content["seeds"]]
    name = KEPT if KEPT in measured else measured[0]
    return ["", f"`{name}`, seed 0: `{commands[name]}`"] if name in commands else []


def _seconds(seeds: list[dict[str, Any]], name: str) -> str:
    found = [each["arm_seconds"][name] for each in seeds if name in each["arm_seconds"]]
    return f"{_mean(found):.0f}" if found else ""


def _line(title: str, rows: list[dict[str, Any]], seconds: str | None = None) -> str:
    """A line of a table: means over the seeds."""
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    valid = [row["terms"]["validity"] for row in rows]
    ends = [wilson_interval(share, EVALUATION["num_samples"], 0.95) for share in valid]
    between = f"[{min(low for low, _ in ends):.1%}, {max(high for _, high in ends):.1%}]"
    qeds = [row["reward"] / max(v, 1e-9) for row, v in zip(rows, valid, strict=True)]
    cells = [
        title, f"{_mean(row['reward'] for row in rows):.3f} [{low:.3f}, {high:.3f}]",
        f"{_mean(valid):.1%} {between}", f"{_mean(qeds):.3f}",
        *(f"{_mean(row[key] for row in rows):.1%}" for key in ("unique", "novel")),
        f"{_mean(row['kl'] for row in rows):.1f}", str(len(rows)),
        f"{_mean(row['calls'] for row in rows):,.0f}", *([] if seconds is None else [seconds]),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _between(seconds: list[float]) -> str:
    """The shortest and the longest time."""
    return " to ".join(dict.fromkeys(f"{each:.0f}" for each in (min(seconds), max(seconds))))


def _mean(values: Any) -> float:
    found = list(values)
    return sum(found) / len(found)


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    **{goal: (goal, partial(goal_table, goal=goal)) for goal in GOALS},
    "mask": ("mask", mask_table),
}
"""For each table the file of results that it is made from, and its maker."""


def filled(page: str, tables: dict[str, str]) -> str:
    """A page with its tables made again, from ``<!-- molecules: NAME -->`` to ``<!-- end -->``."""
    for name, table in tables.items():
        first = f"<!-- molecules: {name} -->\n"
        before, mark, rest = page.partition(first)
        _, end, after = rest.partition("<!-- end -->")
        page = f"{before}{mark}\n{table}\n\n{end}{after}" if mark and end else page
    return page
