"""A run while it goes, for the terminal: curves as bars of text, newest samples."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..runs.resume import resume_command
from ..runs.run_directory import RESULTS, RunDirectory

__all__ = ["CURVES", "Look", "frame", "look", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 32
SAMPLES = "samples"
"""Ends the names of the stages that hold samples."""
SILENT = 600
"""Seconds without a line after which a run may have died."""
CURVES = {
    ("mle", "validation_nll"): "MLE: validation NLL",
    ("member", "validation_nll"): "members, one by one: validation NLL",
    ("discriminator", "heldout_accuracy"): "discriminator: held-out accuracy",
    ("discriminator", "heldout_gain"): "discriminator: held-out gain",
    ("mediator", "loss"): "mediator: loss",
    ("refresh", "loss"): "members in the rounds: loss",
    ("adversarial", "mean_reward"): "rounds: mean reward",
    ("adversarial", "entropy"): "rounds: own entropy",
    ("validation", "score"): "rounds: validation score",
    ("health", "unique"): "rounds: share of unique samples",
    ("control-validation", "score"): "control: validation score",
}
"""Stage and name of a number, and what it is called."""


class Look(NamedTuple):
    """A run as it is now.

    Attributes:
        curves: for each number its values so far.
        samples: the newest samples, each with its "text" and "reward" (None of MLE's).
        steps: lines of the log.
        time: of the last line, seconds since 1970; None: there is none.
        verdict: of a finished run; None: it is not finished, or compared nothing.
        finished: the run has ended.
        resume: the command that resumes it; empty if it is finished.
    """

    curves: dict[tuple[str, str], list[float]]
    samples: list[dict[str, Any]]
    steps: int
    time: float | None
    verdict: str | None
    finished: bool
    resume: str


def look(run: RunDirectory) -> Look:
    """Reads a run that may be writing at this moment."""
    whole = run.read_log()
    curves: dict[tuple[str, str], list[float]] = {}
    samples: list[dict[str, Any]] = []
    for line in whole:
        if line["stage"].endswith(SAMPLES):
            samples = line["samples"]
        own = "member" if line["stage"].startswith("member-") else line["stage"]
        for stage, name in CURVES:
            if stage == own and line.get(name) is not None:
                curves.setdefault((stage, name), []).append(float(line[name]))
    finished = (run.path / RESULTS).is_file()
    results = run.results() if finished else {}
    verdict = (results.get("verdict") or results.get("objective") or {}).get("sentence")
    last = float(whole[-1]["time"]) if whole else None
    resume = "" if finished else resume_command(run)
    return Look(curves, samples, len(whole), last, verdict, finished, resume)


def frame(path: Path, seen: Look, samples: int, now: float) -> RenderableType:
    """A run as a terminal shows it.

    Args:
        path: of the run.
        seen: the run.
        samples: how many samples are shown.
        now: seconds since 1970.
    """
    name = path.resolve().name
    table = Table(title=f"Run {name}", title_justify="left", box=None, pad_edge=False)
    for title, side in (("", "left"), ("so far", "left"), ("first", "right"), ("now", "right")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for key, title in CURVES.items():
        values = seen.curves.get(key)
        if values:
            first, newest = f"{values[0]:.4f}", f"{values[-1]:.4f}"
            table.add_row(title, sparkline(values), first, newest)
    parts: list[RenderableType] = [table]
    if not seen.curves:
        parts.append(Text("Nothing is logged yet."))
    shown = seen.samples[:samples]
    if shown:
        parts.append(Text("\nNewest samples, with their rewards if they have any"))
        parts += [Text(_line(each)) for each in shown]
    silent = 0.0 if seen.time is None or seen.finished else now - seen.time
    if silent > SILENT:
        parts.append(
            Text(
                f"\nNothing new for {silent / 60:.0f} minutes. If the run has ended: {seen.resume}"
            )
        )
    if seen.finished:
        parts.append(Text(f"\nFinished. {seen.verdict or ''}".rstrip()))
    return Group(*parts)


def _line(sample: dict[str, Any]) -> str:
    """The reward of a sample, if it has one, and its text."""
    reward = sample["reward"]
    return f"{'' if reward is None else f'{reward:+.3f}':>8}  {sample['text']}"


def sparkline(values: list[float], width: int = WIDTH) -> str:
    """Values as bars of text, the last of each piece where there are more than `width`."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    count = min(width, len(known))
    some = [known[(i + 1) * len(known) // count - 1] for i in range(count)]
    low, high = min(some), max(some)
    if high == low:
        return BARS[0] * count
    top = len(BARS) - 1
    return "".join(BARS[round(top * (value - low) / (high - low))] for value in some)
