"""Quality against diversity: the swept models, the real data, the points of the verdict."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..evaluation.primary import ENTROPY, PRIMARY, title_of
from ..metrics import catalogue
from .drawing import COLOURS, Plot, few_ticks, legend
from .record import Record

__all__ = ["tradeoff_plots", "verdict_plot"]

ORDERS = (2, 3, 4, 5)
MODELS = {"mle": "MLE", "finetuned": "fine-tuned", "control": "control"}
MOST_LABELS = 9
LEAST_REACH = 1e-3
"""The verdict's axis goes at least this far: a smaller difference is none."""

Spot = tuple[float, float]
Curves = dict[str, list[dict[str, float]]]


def verdict_plot(record: Record) -> Plot | None:
    """The difference at equal diversity with its interval, or None if there is none."""
    verdict = record.verdict
    if verdict is None or verdict["difference"] is None:
        return None
    low, high = verdict["interval"]

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=COLOURS["text"], linewidth=1)
        axes.plot([low, high], [0, 0], color=COLOURS["finetuned"], linewidth=3)
        axes.plot([verdict["difference"]], [0], "o", color=COLOURS["finetuned"], markersize=8)
        reach = 1.25 * max(abs(low), abs(high), LEAST_REACH)
        axes.set(xlim=(-reach, reach), ylim=(-0.6, 1), yticks=[])
        for side, text, align in ((-1, "fine-tuned better", "right"), (1, "MLE better", "left")):
            axes.text(0.03 * reach * side, 0.62, text, ha=align, va="center")
        axes.locator_params(axis="x", nbins=4)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(title_of(verdict["metric"]))

    caption = (
        f"Fine-tuned minus MLE at equal diversity, with the {verdict['confidence']:.0%} interval "
        "over sequences. If the bar covers 0, or all but touches it, nothing can be told."
    )
    return Plot("verdict", "The difference", caption, paint, height=1.5, width=3.7)


def tradeoff_plots(record: Record) -> list[Plot]:
    """Primary metric and NLL against entropy, and BLEU against self-BLEU."""
    sweep = record.results.get("sweep") or {}
    curves = {name: points for name, points in sweep.get("test", {}).items() if points}
    if not curves:
        return []
    plots = [_primary(record, curves)]
    if record.metric != catalogue.NLL:
        plots.append(_likelihood(record, curves))
    first = next(iter(curves.values()))[0]
    return plots + [_bleu(record, curves, k) for k in ORDERS if f"bleu-{k}" in first]


def _primary(record: Record, curves: Curves) -> Plot:
    verdict = record.verdict or {}
    matched = {
        name: (verdict[f"{name}_entropy"], verdict[f"{name}_value"])
        for name in MODELS
        if verdict.get(f"{name}_entropy") is not None and verdict.get(f"{name}_value") is not None
    }
    metric = PRIMARY.get(record.metric)
    axis = ENTROPY if metric is None else metric.axis
    entropy, value = record.score("real", ENTROPY.key), _ceiling(record)
    real = None if entropy is None or value is None else (entropy, value)
    if axis.key != ENTROPY.key:  # the verdict and the scores know the entropy alone
        matched, real = {}, None
    caption = (
        "Each curve is one model at several softmax temperatures (the numbers): lower is better, "
        f"further {axis.side} is more diverse. The better "
        "model has the lower curve."
    )
    if matched:
        caption += " Diamonds: the two points of equal diversity that the verdict compares."
        for name, whose in (("mle", "MLE's"), ("finetuned", "The fine-tuned model's")):
            way = verdict.get(f"{name}_way") or "temperature"
            if not way.startswith("temperature"):
                caption += f" {whose} lies off its curve: it is sampled in another way ({way})."
    if "control" in curves:
        caption += " Dashed: the control, the same training with a random reward."
    if real is not None:
        caption += " Star: the source of the data itself."
    elif axis.key != ENTROPY.key and value is not None:
        caption += (
            f" As many training sequences have a distance of {value:.4f} from the test sequences: "
            "it is not 0, since any sample of them differs from another."
        )
    paint = partial(
        _paint, curves=curves, x=axis.key, y="primary", real=real, matched=matched,
        labels=(axis.label, title_of(record.metric) or "primary metric"),
    )  # fmt: skip
    return Plot("quality-diversity", "Primary metric against diversity", caption, paint)


def _ceiling(record: Record) -> float | None:
    """Value of real data in the primary metric, or None if it is unknown."""
    metric = PRIMARY.get(record.metric)
    if metric is None:
        return record.score("real", catalogue.NLL)
    scores = {score["name"]: score["value"] for score in record.results["scores"].get("real", [])}
    return metric.ceiling(record.results["sweep"].get("real", {}), scores)


def _likelihood(record: Record, curves: Curves) -> Plot:
    entropy = record.score("real", ENTROPY.key)
    likelihood = record.score("real", catalogue.NLL)
    real = None if entropy is None or likelihood is None else (entropy, likelihood)
    caption = (
        "How well each model predicts the test sequences (lower is better) at each temperature, "
        "against how varied its own output is."
    )
    paint = partial(
        _paint, curves=curves, x=ENTROPY.key, y=catalogue.NLL, real=real, matched={},
        labels=(ENTROPY.label, catalogue.label(catalogue.NLL)),
    )  # fmt: skip
    return Plot("nll-diversity", "Likelihood against diversity", caption, paint)


def _bleu(record: Record, curves: Curves, k: int) -> Plot:
    x, y = f"self-bleu-{k}", f"bleu-{k}"
    measured = record.results["sweep"].get("real", {})
    value = record.score("real", y)
    real = None if x not in measured or value is None else (measured[x], value)
    caption = (
        f"Overlap of the samples' {k}-grams with real sequences (higher: more like real ones) "
        "against their overlap with each other (lower: more varied). Up and left is better; "
        "these plots decide nothing."
    )
    if real is not None:
        caption += f" Star: real sequences (self-BLEU of {measured['sequences']:,} of them)."
    # Self-BLEU grows with the number of samples, and the control has fewer.
    shown = {name: points for name, points in curves.items() if name != "control"}
    paint = partial(
        _paint, curves=shown, x=x, y=y, real=real, matched={},
        labels=(f"self-BLEU-{k}", f"BLEU-{k}"),
    )  # fmt: skip
    return Plot(f"bleu-{k}", f"BLEU-{k} against self-BLEU-{k}", caption, paint)


def _paint(
    axes: Axes,
    *,
    curves: Curves,
    x: str,
    y: str,
    real: Spot | None,
    matched: dict[str, Spot],
    labels: tuple[str, str],
) -> None:
    """The curves with their temperatures, and the single points."""
    for name, title in MODELS.items():
        points = curves.get(name, [])
        if points:
            across, up = [point[x] for point in points], [point[y] for point in points]
            wide = name == "mle"  # so that it shows on either side where the curves coincide
            axes.plot(
                across, up, "--" if name == "control" else "o-", color=COLOURS[name], label=title,
                linewidth=3.2 if wide else 1.5, markersize=7 if wide else 4.5,
            )  # fmt: skip
    for i, (name, spot) in enumerate(matched.items()):
        axes.plot(
            *spot, marker="D", markersize=9, markerfacecolor="none", linestyle="",
            markeredgewidth=1.6, markeredgecolor=COLOURS[name], label="" if i else "verdict",
        )  # fmt: skip
    if real is not None:
        axes.plot(*real, "*", color=COLOURS["real"], markersize=13, label="real")
    axes.set(xlabel=labels[0], ylabel=labels[1].replace(", ", ",\n"))  # a panel is not high
    axes.margins(0.1, 0.12)
    few_ticks(axes)
    legend(axes, columns=4)
    axes.autoscale_view()
    side = _side(axes, curves, (x, y))
    _temperatures(axes, curves.get("finetuned", []), (x, y), side, COLOURS["finetuned"])
    _temperatures(axes, curves.get("mle", []), (x, y), -side, COLOURS["mle"])


def _spots(axes: Axes, points: list[dict[str, float]], keys: tuple[str, str]) -> np.ndarray:
    """Places [n, 2] of points on the panel, as far as its size is known already."""
    return np.asarray(axes.transData.transform([[point[key] for key in keys] for point in points]))


def _side(axes: Axes, curves: Curves, keys: tuple[str, str]) -> int:
    """The side of MLE's curve that most of the fine-tuned one lies on: 1 left, -1 right."""
    ours, theirs = curves.get("finetuned", []), curves.get("mle", [])
    if len(ours) != len(theirs) or len(ours) < 2:
        return 1
    places = _spots(axes, theirs, keys)
    along, gap = np.gradient(places, axis=0), _spots(axes, ours, keys) - places
    return 1 if (along[:, 0] * gap[:, 1] - along[:, 1] * gap[:, 0]).sum() >= 0 else -1


def _temperatures(
    axes: Axes, points: list[dict[str, float]], keys: tuple[str, str], side: int, colour: str
) -> None:
    """Writes temperatures beside a curve: those of one model on its left, of the other right.

    Where the models hardly differ, as they often do, their labels would otherwise lie on each
    other.
    """
    if not points:
        return
    spots = _spots(axes, points, keys)
    along = np.gradient(spots, axis=0) if len(spots) > 1 else np.array([[1.0, 0.0]])
    every = math.ceil(len(points) / MOST_LABELS)
    for i, point in enumerate(points):
        if i % every and point["temperature"] != 1:
            continue
        length = float(np.hypot(*along[i])) or 1.0
        away = side * np.array([-along[i][1], along[i][0]]) / length
        axes.annotate(
            f"{point['temperature']:g}", (point[keys[0]], point[keys[1]]), xytext=tuple(11 * away),
            textcoords="offset points", ha="center", va="center", fontsize=8.5, color=colour,
        )  # fmt: skip
