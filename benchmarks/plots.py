"""Plots of results.

Of each suite quality against diversity and learning curves; over all suites the profiles of the
arms and what they gain for their training.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from seqgan.evaluation.primary import ENTROPY, title_of
from seqgan.metrics import catalogue
from seqgan.report.drawing import COLOURS, Plot, draw, legend, whole_numbers
from seqgan.runs.run_directory import write_bytes

from .aggregate import Runs, performance_profile
from .efficiency import SIZE, colour, efficiency
from .gains import UNITS, gains, values
from .paper import SOURCE_CURVES, published_value
from .reading import read_yaml
from .results import Result, grouped
from .tables import PUBLISHED

__all__ = ["make_plots", "write_plots"]


def make_plots(results: list[Result]) -> list[Plot]:
    """For each suite and size its plots."""
    plots = []
    for (suite, size), found in grouped(results, "suite", "size").items():
        name, title = f"{suite}-{size}", f"{found[0]['suite_title']}, size {size}"
        plots.append(_tradeoff(f"{name}-quality-diversity", title, found))
        for stage, x, y, label in (
            ("mle", "epoch", "validation_nll", "validation NLL, nats per token"),
            ("validation", "round", "score", f"validation, {_primary(found)}"),
        ):
            with_log = [result for result in found if stage in (result.get("curves") or {})]
            if with_log:
                kind = "mle" if stage == "mle" else "rounds"
                paint = partial(_curves, results=with_log, stage=stage, keys=(x, y), label=label)
                caption = "Mean over seeds, each seed thin. Lower is better."
                plots.append(Plot(f"{name}-curves-{kind}", title, caption, paint, **SIZE))
        plots += _under_the_source(name, title, found)
    for (size,), found in grouped(results, "size").items():
        plots += [*_over_all(size, found), *efficiency(size, found)]
    return plots


def _under_the_source(name: str, title: str, results: list[Result]) -> list[Plot]:
    """Figures 3 and 4 of the SeqGAN paper, and what they leave out, if the source is known."""
    facts = read_yaml(PUBLISHED, PUBLISHED.name)
    goal, plots = published_value(results, facts), []
    for key, score in SOURCE_CURVES.items():
        kept = {id(x): [row for row in _validation(x) if key in row] for x in results}
        with_log = [
            {**result, "curves": {"validation": kept[id(result)]}}
            for result in results
            if kept[id(result)]
        ]
        if not with_log:
            continue
        caption = (
            "Mean over seeds, each seed thin, at temperature 1. A line across: the tuned MLE model"
            + (", and SeqGAN as published." if key == "source_nll" and goal is not None else ".")
        )
        paint = partial(
            _with_levels, results=with_log, key=key, label=catalogue.label(score),
            mle=[r for r in results if r["arm"] == "mle"], score=score,
            goal=goal if key == "source_nll" else None,
        )  # fmt: skip
        plots.append(Plot(f"{name}-curves-{key.replace('_', '-')}", title, caption, paint, **SIZE))
    return plots


def _with_levels(
    axes: Axes,
    results: list[Result],
    key: str,
    label: str,
    mle: list[Result],
    score: str,
    goal: float | None,
) -> None:
    """Curves over the rounds, with the levels of MLE and of what was published."""
    values = [x["value"] for r in mle for x in r["scores"] if x["name"] == score]
    if values:
        axes.axhline(float(np.mean(values)), color=COLOURS["mle"], linestyle="--", label="mle")
    if goal is not None:
        name = f"published, {goal:.3f}"
        axes.axhline(goal, color=COLOURS["muted"], linestyle=":", label=name)
    _curves(axes, results, "validation", ("round", key), label)


def _validation(result: Result) -> list[dict[str, Any]]:
    return list((result.get("curves") or {}).get("validation", ()))


def _over_all(size: str, results: list[Result]) -> list[Plot]:
    """The profiles over all suites, where there is more than one run of an arm."""
    plots = []
    for unit, found in gains(results).items():
        runs = {arm: values(x) for arm, x in found.arms.items()}
        runs = {arm: x for arm, x in runs.items() if sum(map(len, x.values())) > 1}
        if not runs:
            continue
        caption = (
            "Share of runs (suites and seeds) whose gain over MLE is above the number below it: "
            f"the further up and right, the better. 0 is MLE; in percent of {UNITS[unit]}."
        )
        paint = partial(_profiles, runs=runs, results=results, unit=UNITS[unit])
        title = f"Performance profiles, size {size}"
        plots.append(Plot(f"profiles-{unit}-{size}", title, caption, paint, **SIZE))
    return plots


def _profiles(axes: Axes, runs: dict[str, Runs], results: list[Result], unit: str) -> None:
    cells = {result["arm"]: [result] for result in results}
    ends = np.concatenate([list(x) for each in runs.values() for x in each.values()])
    # One run that broke down must not press all the others together.
    low, high = np.percentile(ends, [10, 100])
    margin = 0.05 * (max(high, 0.0) - min(low, 0.0)) or 1.0
    thresholds = np.linspace(min(low, 0.0) - margin, max(high, 0.0) + margin, 200)
    for arm, each in runs.items():
        shares = performance_profile(each, thresholds)
        axes.step(thresholds, shares, color=colour(cells[arm]), label=arm, where="post")
    axes.axvline(0.0, color=COLOURS["muted"], linewidth=0.8)
    axes.set(xlabel=f"gain over MLE, % of {unit}", ylabel="share of runs above it")
    legend(axes)


def write_plots(plots: list[Plot], folder: Path) -> list[Path]:
    """Writes ``NAME.png`` of each plot."""
    paths = []
    for plot in plots:
        paths.append(folder / f"{plot.name}.png")
        write_bytes(paths[-1], draw(plot).png)
    return paths


def _tradeoff(name: str, title: str, results: list[Result]) -> Plot:
    caption = (
        "Each curve is one arm at several softmax temperatures, mean over seeds, on the test "
        "split: lower is better, further right is more diverse."
    )
    paint = partial(_points, results=[r for r in results if "sweep" in r])
    return Plot(name, title, caption, paint, **SIZE)


def _points(axes: Axes, results: list[Result]) -> None:
    for (arm,), cells in grouped(results, "arm").items():
        sweeps = [cell["sweep"]["test"] for cell in cells]
        x, y = (
            np.mean([[point[key] for point in sweep] for sweep in sweeps], axis=0)
            for key in ("entropy", "primary")
        )
        wide = arm == "mle"  # so that it shows on either side where curves coincide
        axes.plot(
            x, y, "o-", color=colour(cells), label=arm, linewidth=3.5 if wide else 1.4,
            markersize=7 if wide else 4, zorder=1 if wide else 2,
        )  # fmt: skip
    axes.set(xlabel=ENTROPY.label, ylabel=_primary(results))
    legend(axes)


def _curves(
    axes: Axes, results: list[Result], stage: str, keys: tuple[str, str], label: str
) -> None:
    for (arm,), cells in grouped(results, "arm").items():
        tint = colour(cells)
        seeds = [_series(cell["curves"][stage], keys) for cell in cells]
        for x, y in seeds:
            axes.plot(x, y, color=tint, linewidth=0.6, alpha=0.5)
        # A seed that stopped early keeps the value it stopped with.
        longest = max((x for x, _ in seeds), key=len)
        means = np.mean([y + [y[-1]] * (len(longest) - len(y)) for _, y in seeds], axis=0)
        axes.plot(longest, means, "o-", color=tint, markersize=3, label=arm)
    axes.set(xlabel=keys[0], ylabel=label)
    whole_numbers(axes)
    legend(axes)


def _series(lines: list[dict[str, Any]], keys: tuple[str, str]) -> tuple[list[float], list[float]]:
    return [line[keys[0]] for line in lines], [line[keys[1]] for line in lines]


def _primary(results: list[Result]) -> str:
    metrics = {r["verdict"]["metric"] for r in results if r.get("verdict")}
    return " or ".join(title_of(metric) for metric in sorted(metrics)) or "primary metric"
