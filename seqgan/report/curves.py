"""Learning curves, from the log of the run."""

from __future__ import annotations

from functools import partial
from typing import Any

from matplotlib.axes import Axes

from ..evaluation.primary import PRIMARY
from ..metrics.catalogue import NLL
from ..metrics.gain import is_unreliable
from .drawing import COLOURS, Plot, legend, whole_numbers
from .record import Record

__all__ = ["learning_curves"]

Lines = list[dict[str, Any]]

MARKERS_UP_TO = 60
"""Longer curves are drawn without a marker at each point."""


def learning_curves(record: Record) -> list[Plot]:
    """The curves that the log has something for."""
    makers = {
        "mle": (_pretraining,),
        "discriminator": (_accuracies, _gain),
        "validation": (_score, _likelihood),
        "adversarial": (_reward,),
        "health": (_variety, _rounds_accuracies, _rounds_gain),
    }
    if "heldout_gain" not in (record.log.get("health") or [{}])[0]:  # a control: nothing judges
        makers["health"] = (_variety,)
    return [
        make(record, record.log[stage])
        for stage, plots in makers.items()
        if record.log.get(stage)
        for make in plots
    ]


def _pretraining(record: Record, lines: Lines) -> Plot:
    early = record.setting("pretrain", "early_stopping", True)
    best = min(lines, key=lambda line: line["validation_nll"])
    kept = best if early else lines[-1]
    floor = record.score("real", NLL)
    caption = (
        "Negative log-likelihood in nats per token; lower is better. The training curve is "
        "measured with dropout, while the model learns. "
        f"The state after epoch {kept['epoch']} was kept."
    )
    if floor is not None:
        caption += " Green: the likelihood that the source itself gives its test sequences."

    def paint(axes: Axes) -> None:
        _curve(axes, lines, "epoch", "train_nll", "muted", "training", dashed=True)
        _curve(axes, lines, "epoch", "validation_nll", "mle", "validation")
        if floor is not None:
            axes.axhline(floor, color=COLOURS["real"], linewidth=1.2, label="source")
        _ring(axes, kept["epoch"], kept["validation_nll"], "mle")
        _finish(axes, "epoch", "NLL, nats per token")

    return Plot("mle-nll", "MLE pretraining", caption, paint)


def _accuracies(record: Record, lines: Lines) -> Plot:
    caption = (
        "Share of real and generated sequences that the discriminator tells apart; 0.5 is "
        "guessing. Where training runs ahead of held-out, it memorises."
    )
    paint = partial(_paint_accuracies, lines=lines, x="step", label="discriminator step")
    return Plot("discriminator-accuracy", "Discriminator: accuracy", caption, paint)


def _gain(record: Record, lines: Lines) -> Plot:
    caption = (
        "How much likelier held-out real sequences would become if the generator's distribution "
        "were reweighted by the discriminator: what there is to learn from it. Calibrated: after "
        "its confidence was scaled on other data; with its interval. Crosses: so few samples carry "
        "the weight that the size is unreliable."
    )
    paint = partial(_paint_gain, lines=lines, x="step", label="discriminator step", raw=True)
    return Plot("discriminator-gain", "Discriminator: held-out gain", caption, paint)


def _temperature(lines: Lines) -> str:
    """Says at which temperature validation was measured; empty if the log does not."""
    used = sorted({line["temperature"] for line in lines if "temperature" in line})
    if not used:
        return ""
    where = f"{used[0]:g}" if len(used) == 1 else f"from {used[0]:g} to {used[-1]:g}"
    return f" Measured at the temperature that suited the model best ({where})."


def _score(record: Record, lines: Lines) -> Plot:
    early = record.setting("adversarial", "early_stopping", True)
    kept = min(lines, key=lambda line: line["score"]) if early else lines[-1]
    found = PRIMARY.get(record.metric)
    metric = "score" if found is None else found.label

    control = record.log.get("control-validation", [])

    def paint(axes: Axes) -> None:
        _curve(axes, lines, "round", "score", "finetuned", "fine-tuned")
        if control:
            _curve(axes, control, "round", "score", "control", "control", dashed=True)
        axes.axhline(lines[0]["score"], color=COLOURS["mle"], linewidth=1.2, label="MLE")
        _ring(axes, kept["round"], kept["score"], "finetuned")
        _finish(axes, "round", metric)

    caption = (
        f"The primary metric on validation after each round ({metric}); lower is better. Round 0 "
        f"is the pretrained model. The state after round {kept['round']} was kept."
        f"{_temperature(lines)}"
    )
    if control:
        caption += (
            " Dashed: the control, the same training with a random reward, measured with half as "
            "many samples."
        )
    return Plot("validation-score", "Rounds: validation score", caption, paint)


def _likelihood(record: Record, lines: Lines) -> Plot:
    def paint(axes: Axes) -> None:
        _curve(axes, lines, "round", NLL, "finetuned", "validation NLL")
        _curve(axes, lines, "round", "entropy", "muted", "own entropy", dashed=True)
        _finish(axes, "round", "nats per token")

    caption = (
        "NLL of validation sequences (lower is better) and the model's own entropy: how varied "
        "its output is. A falling entropy with a rising NLL is mode collapse."
        f"{_temperature(lines)}"
    )
    return Plot("validation-nll", "Rounds: likelihood and diversity", caption, paint)


def _reward(record: Record, lines: Lines) -> Plot:
    units = {
        "discriminator (log_odds)": "log-odds of being real",
        "discriminator (probability)": "probability of being real",
    }
    label, taught = units.get(record.reward, "reward"), "discriminator" in record.reward

    def paint(axes: Axes) -> None:
        _curve(axes, lines, "step", "mean_reward", "finetuned", "mean of the batch")
        _finish(axes, "policy gradient step", label)

    caption = (
        f"Mean reward of the generator's samples: {record.reward}. The discriminator goes on "
        "learning, so a flat curve need not mean that nothing happens."
        if taught
        else f"Mean reward of the generator's samples: {record.reward}."
    )
    return Plot("mean-reward", "Rounds: mean reward", caption, paint)


def _variety(record: Record, lines: Lines) -> Plot:
    def paint(axes: Axes) -> None:
        _curve(axes, lines, "round", "entropy", "finetuned", "entropy")
        _curve(axes, lines, "round", "kl", "mle", "KL to MLE")
        _curve(axes, lines, "round", "unique", "real", "unique share")
        _curve(axes, lines, "round", "self_bleu_4", "muted", "self-BLEU-4", dashed=True)
        _finish(axes, "round", "nats per token, or share")

    caption = (
        "The samples as they are (temperature 1). A falling entropy and share of unique samples "
        "with a rising self-BLEU is mode collapse; a KL divergence near the entropy means that "
        "little of the pretrained model is left."
    )
    for trouble in (record.results.get("adversarial") or {}).get("troubles", []):
        caption += f" Round {trouble['round']}: {trouble['text']}."
    return Plot("rounds-variety", "Rounds: variety and drift", caption, paint)


def _rounds_accuracies(record: Record, lines: Lines) -> Plot:
    caption = (
        "Share of real and generated sequences that the discriminator tells apart after each "
        "round, the policy as it is then; 0.5 is guessing."
    )
    paint = partial(_paint_accuracies, lines=lines, x="round", label="round")
    return Plot("rounds-accuracy", "Rounds: the discriminator", caption, paint)


def _rounds_gain(record: Record, lines: Lines) -> Plot:
    caption = (
        "The discriminator's held-out gain over the policy as it is after each round: what there "
        "is left to learn from it. Where its interval reaches 0, it cannot be told from nothing. "
        "Crosses: so few samples carry the weight that the size is unreliable."
    )
    paint = partial(_paint_gain, lines=lines, x="round", label="round", raw=False)
    return Plot("rounds-gain", "Rounds: held-out gain", caption, paint)


def _paint_accuracies(axes: Axes, lines: Lines, x: str, label: str) -> None:
    axes.axhline(0.5, color=COLOURS["muted"], linewidth=1)
    _curve(axes, lines, x, "train_accuracy", "muted", "training", dashed=True)
    _curve(axes, lines, x, "heldout_accuracy", "finetuned", "held out")
    _finish(axes, label, "accuracy")


def _paint_gain(axes: Axes, lines: Lines, x: str, label: str, raw: bool) -> None:
    axes.axhline(0, color=COLOURS["muted"], linewidth=1)
    axes.fill_between(
        _values(lines, x), _values(lines, "heldout_gain_low"), _values(lines, "heldout_gain_high"),
        color=COLOURS["finetuned"], alpha=0.18, linewidth=0, label="interval",
    )  # fmt: skip
    if raw:
        _curve(axes, lines, x, "heldout_gain_raw", "muted", "raw", dashed=True)
    _curve(axes, lines, x, "heldout_gain", "finetuned", "calibrated")
    doubtful = [line for line in lines if "heldout_effective" in line and is_unreliable(line)]
    if doubtful:
        axes.plot(
            _values(doubtful, x), _values(doubtful, "heldout_gain"), "x", color=COLOURS["muted"],
            markersize=8, label="unreliable",
        )  # fmt: skip
    _finish(axes, label, "nats per sequence")


def _values(lines: Lines, key: str) -> list[float]:
    """A column of the log; what is missing leaves a gap."""
    found = (line.get(key) for line in lines)
    return [float("nan") if value is None else float(value) for value in found]


def _curve(
    axes: Axes, lines: Lines, x: str, y: str, colour: str, label: str, *, dashed: bool = False
) -> None:
    axes.plot(
        _values(lines, x),
        _values(lines, y),
        color=COLOURS[colour],
        linestyle="--" if dashed else "-",
        marker="o" if len(lines) <= MARKERS_UP_TO else "",
        markersize=3.5,
        label=label,
    )


def _ring(axes: Axes, x: float, y: float, colour: str) -> None:
    """Marks the point that was kept."""
    axes.plot(
        [x], [y], marker="o", markersize=10, markerfacecolor="none", linestyle="",
        markeredgecolor=COLOURS[colour], markeredgewidth=1.4, label="kept",
    )  # fmt: skip


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    whole_numbers(axes)
    entries = len(axes.get_legend_handles_labels()[0])
    legend(axes, columns=2 if entries > 3 else 3)  # four in a row run out of a narrow figure
