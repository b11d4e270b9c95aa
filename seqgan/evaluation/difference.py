"""The difference of two models' primary metric at exactly equal diversity, with its bootstrap.

The two points are close to each other in entropy (or self-BLEU, where texts are compared by their
embeddings), not equal. What is left is taken out to first
order: along the baseline's own curve a nat of entropy is worth `slope`. The sampling error of both
entropies and of the slope is part of every draw. What is an expectation over samples is estimated
from both models' samples together (see `pooled`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..config import EvaluationConfig
from ..metrics.density import jensen_shannon_terms
from ..metrics.embedding import FRECHET_RESAMPLES
from ..seeding import derive_seed
from .pooled import ALL, Pooled, Rows
from .significance import Estimate, estimate, unbiased
from .sweep import Point

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

    Frechet distances are biased upwards, the more so the more varied the samples are; the bias is
    estimated by the bootstrap and taken off. Their slope is not resampled: each draw of it would
    cost two more spectra, and it multiplies what is left of the difference in self-BLEU, which is
    next to nothing.

    Args:
        ours: the model in question on the test split.
        theirs: the baseline at nearly the same diversity on the test split.
        near: points of the baseline on the test split, on either side of `theirs`.
        config: confidence and resamples.
        seed: of the rows of samples.
        test_set: of the rows of real sequences: whatever names the test set.
    """
    at = _of_texts(ours, theirs, near) if ours.metric == "fed" else _pooled(ours, theirs, near)
    value = at(ALL, ALL, ALL)
    of_real = np.random.default_rng(derive_seed(0, "verdict", "real", test_set))
    of_samples = np.random.default_rng(derive_seed(seed, "verdict", "samples"))
    resamples = config.resamples
    if ours.metric == "fed":
        resamples = min(resamples, FRECHET_RESAMPLES)
    draws = []
    for _ in range(resamples):
        real = of_real.integers(ours.num_real, size=ours.num_real)
        own, other = (_drawn(of_samples, point) for point in (ours, theirs))
        if len(own) == len(other):
            other = own
        draws.append(at(real, own, other))
    if ours.metric == "fed":
        value, draws = unbiased(value, draws)
    return Difference(estimate(value, draws, config.confidence), draws)


def _of_texts(ours: Point, theirs: Point, near: Sequence[Point]) -> Callable[..., float]:
    """The difference of Frechet distances at equal self-BLEU, given rows of texts."""
    worth = slope([*near, theirs])

    def at(real: Rows, own: Rows, other: Rows) -> float:
        gap = ours.diversity(own) - theirs.diversity(other)
        return ours.primary(real, own) - theirs.primary(real, other) - worth * gap

    return at


def _pooled(ours: Point, theirs: Point, near: Sequence[Point]) -> Callable[..., float]:
    """The difference in nats at equal entropy, given rows of real sequences and of samples."""
    curve = [*near, theirs]
    pooled, points = Pooled(ours, theirs), (ours, theirs)
    terms = [_sample_terms(pooled, points, model) for model in range(2)]

    def primary(model: int, real: Rows, rows: tuple[Rows, Rows]) -> float:
        point, found = points[model], terms[model]
        if found is None:
            return point.primary(real, rows[model])
        return point.of_real(real) + pooled.mean(model, found, rows)

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


def _sample_terms(
    pooled: Pooled, points: tuple[Point, Point], model: int
) -> list[np.ndarray] | None:
    """Terms of a model's Jensen-Shannon divergence over both sets of samples, or None."""
    sources = [point.own_source for point in points if point.own_source is not None]
    if points[model].metric != "js":
        return None
    return [_terms(sources[of], pooled.log_q[model][of]) for of in range(2)]


def _terms(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """Terms of samples of both models; 0 for those that this one never emits, which weigh nothing.

    A model that cuts off or rejects what is unlikely gives samples of the other probability 0.
    """
    terms, possible = np.zeros(len(log_q)), ~np.isneginf(log_q)
    terms[possible] = jensen_shannon_terms("q", log_p[possible], log_q[possible])
    return terms


def _drawn(rng: np.random.Generator, point: Point) -> np.ndarray:
    """Rows of a point's samples, as many as it has, drawn with replacement."""
    count = len(point.own.tokens)
    return rng.integers(count, size=count)
