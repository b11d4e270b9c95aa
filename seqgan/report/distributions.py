"""Histograms of a number that each sequence has: real ones, those of MLE, fine-tuned ones."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from ..metrics.catalogue import label
from .drawing import COLOURS, Plot, legend
from .record import MODELS, Record

__all__ = ["binned", "distribution_plots"]

BINS = 30
WHOLE = 0.98
"""The middle share of all values that the bins divide; what lies outside is in the outer bins."""


def distribution_plots(record: Record) -> list[Plot]:
    """A histogram for each metric that the run has stored the single values of."""
    stored = record.results.get("distributions") or {}
    plots = []
    for name, values in stored.items():
        found = {model: values[model] for model in MODELS if values.get(model)}
        if not found:
            continue
        counts = ", ".join(f"{MODELS[model]} {len(each):,}" for model, each in found.items())
        plots.append(
            Plot(
                f"distribution-{name}",
                f"Distribution: {label(name, unit=False)}",
                f"Share of the sequences that have a value, in each of {BINS} bins of one width; "
                f"what lies beyond an end is in the last bin there. Sequences: {counts}.",
                partial(_paint, found=found, name=name),
            )
        )
    return plots


def binned(found: dict[str, list[float]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Bins that all models share, and the share of each model's values in each.

    Args:
        found: for each model its values.

    Returns:
        The ends of the bins [BINS + 1], and shares [BINS] for each model.
    """
    everything = np.concatenate([np.asarray(values, dtype=float) for values in found.values()])
    low, high = np.quantile(everything, [(1 - WHOLE) / 2, (1 + WHOLE) / 2])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    shares = {
        model: np.histogram(np.clip(values, low, high), edges)[0] / len(values)
        for model, values in found.items()
    }
    return edges, shares


def _paint(axes: Axes, found: dict[str, list[float]], name: str) -> None:
    edges, shares = binned(found)
    for model, share in shares.items():
        axes.stairs(share, edges, color=COLOURS[model], linewidth=1.6, label=MODELS[model])
    axes.set_xlabel(label(name))
    axes.set_ylabel("share of sequences")
    axes.set_ylim(bottom=0)
    legend(axes)
