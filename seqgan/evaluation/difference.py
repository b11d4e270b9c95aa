"""The difference of two models' primary metric at exactly equal diversity, with its bootstrap.

The two points are close to each other in diversity (entropy, or self-BLEU), not equal. What is left
is taken out to first order: along the baseline's own curve a nat of entropy is worth `slope`. The
sampling error of both entropies and of the slope is part of every draw. What is an expectation over
samples is estimated from both models' samples together if the metric allows it (see `pooled`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..config import EvaluationConfig
from ..seeding import derive_seed
from .point import Point
from .pooled import ALL, Pooled, Rows
from .significance import Estimate, estimate, unbiased

__all__ = ["Difference", "difference"]


class Difference(NamedTuple):
    """A difference and its bootstrap.

    Attributes:
        estimate: value, interval and p-value.
        draws: differences of the resamples, without bias. Draw number k used the same rows of a
            test set whatever the seed, so that seeds with one test set can be resampled together.
    """

    estimate: Estimate
    draws: list[float]


def difference(
    ours: Point,
    theirs: Point,
    near: Sequence[Point],
    config: EvaluationConfig,
    seed: int,
    test_set: str = "",
) -> Difference:
    """Primary metric of `ours` minus that of `theirs`, at exactly equal diversity.

    Resamples draw real sequences and both models' samples. Where both models have as many samples,
    they were drawn with the same random numbers, and their rows are drawn in pairs.

    A metric may be biased upwards (Frechet distances are, the more so the more varied the samples
    are); the bias is estimated by the bootstrap and taken off.

    Args:
        ours: the model in question on the test split.
        theirs: the baseline at nearly the same diversity on the test split.
        near: points of the baseline on the test split, on either side of `theirs`.
        config: confidence and resamples.
        seed: of the rows of samples.
        test_set: of the rows of real sequences: whatever names the test set.
    """
    metric = ours.metric
    at = (_pooled if metric.pooled else _apart)(ours, theirs, near)
    value = at(ALL, ALL, ALL)
    of_real = np.random.default_rng(derive_seed(0, "verdict", "real", test_set))
    of_samples = np.random.default_rng(derive_seed(seed, "verdict", "samples"))
    resamples = config.resamples
    if metric.most_resamples is not None:
        resamples = min(resamples, metric.most_resamples)
    draws = []
    for _ in range(resamples):
        real = of_real.integers(ours.num_real, size=ours.num_real)
        own, other = (_drawn(of_samples, point) for point in (ours, theirs))
        if len(own) == len(other):
            other = own
        draws.append(at(real, own, other))
    if metric.biased:
        value, draws = unbiased(value, draws)
    return Difference(estimate(value, draws, config.confidence), draws)


def _apart(ours: Point, theirs: Point, near: Sequence[Point]) -> Callable[..., float]:
    """The difference at equal diversity, each model with its own samples, given rows.

    The slope is not resampled: each draw of a Frechet distance's would cost two more spectra, and
    it multiplies what is left of the difference in self-BLEU, which is next to nothing.
    """
    worth = slope([*near, theirs])

    def at(real: Rows, own: Rows, other: Rows) -> float:
        gap = ours.diversity(own) - theirs.diversity(other)
        return ours.primary(real, own) - theirs.primary(real, other) - worth * gap

    return at


def _pooled(ours: Point, theirs: Point, near: Sequence[Point]) -> Callable[..., float]:
    """The difference at equal entropy, given rows of real sequences and of samples."""
    curve, metric = [*near, theirs], ours.metric
    pooled, points = Pooled(ours, theirs), (ours, theirs)
    terms = [
        [metric.terms(points[of], pooled.log_q[model][of]) for of in range(2)] for model in range(2)
    ]

    def primary(model: int, real: Rows, rows: tuple[Rows, Rows]) -> float:
        value = metric.of_real(points[model], real)
        found = [part for part in terms[model] if part is not None]
        return value + pooled.mean(model, found, rows) if found else value

    def at(real: Rows, *rows: Rows) -> float:
        gap = pooled.entropy(0, rows) - pooled.entropy(1, rows)
        worth = slope(curve, real, rows[1])
        return primary(0, real, rows) - primary(1, real, rows) - worth * gap

    return at


def slope(curve: Sequence[Point], real: Rows = ALL, own: Rows = ALL) -> float:
    """Change of the primary metric with diversity: the least-squares line through points.

    Args:
        curve: points of one model; where all are equally diverse, the slope is 0.
        real: rows of real sequences.
        own: rows of samples, of which all points have as many.
    """
    diversities = np.array([point.diversity(own) for point in curve])
    values = np.array([point.primary(real, own) for point in curve])
    centred = diversities - diversities.mean()
    square = float(centred @ centred)
    return float(centred @ values) / square if square > 0 else 0.0


def _drawn(rng: np.random.Generator, point: Point) -> np.ndarray:
    """Rows of a point's samples, as many as it has, drawn with replacement."""
    count = len(point.own.tokens)
    return rng.integers(count, size=count)
