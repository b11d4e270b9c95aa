"""A number with what is needed to read and to reproduce it.

The signatures follow the habit of sacreBLEU (Post 2018, "A call for clarity in reporting BLEU
scores"): ``key:value`` pairs joined by ``|``, the version last.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from seqgan.config.version import __version__
from seqgan.errors import MetricError
from seqgan.metrics.tokens import Floats

__all__ = [
    "Direction",
    "Score",
    "bootstrap_interval",
    "jackknife_interval",
    "signature",
    "statistic_interval",
    "wilson_interval",
]

Direction: TypeAlias = Literal["higher", "lower", "none"]
"""Better direction; "none" for a number that describes and does not judge."""

BATCH_NUMBERS = 1 << 17
"""Counts of draws that are floats at a time: 1 MB, which stays in the cache."""
MOST_KEPT = 1 << 25
"""Counts of draws that are kept for other scores: 64 MB; more are made again for each score."""


@dataclass(frozen=True)
class Score:
    """One metric of one set of sequences.

    Attributes:
        name: the metric, ``self-bleu-4``.
        value: its value.
        interval: its confidence interval, lower and upper end, or None where none is known.
        n: the number of sequences that it was computed from.
        direction: which way is better: "higher", "lower" or "none".
        signature: the settings that reproduce it, as from `signature`.

    Raises:
        MetricError: the direction is none of the three, or the interval is upside down.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    n: int
    direction: Direction
    signature: str

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise MetricError(
                f"{self.name}: direction must be one of {get_args(Direction)}, "
                f"got {self.direction!r}"
            )
        if self.interval is not None and self.interval[0] > self.interval[1]:
            raise MetricError(f"{self.name}: the interval {self.interval} is upside down")

    def __str__(self) -> str:
        interval = ""
        if self.interval is not None:
            interval = f" [{self.interval[0]:.4f}, {self.interval[1]:.4f}]"
        return f"{self.name} = {self.value:.4f}{interval} ({self.signature})"

    @classmethod
    def from_values(
        cls,
        name: str,
        values: Floats | Sequence[float],
        *,
        direction: Direction,
        signature: str,
        confidence: float = 0.95,
        resamples: int = 2000,
        seed: int = 0,
    ) -> Score:
        """The mean of one value per sequence, with its bootstrap interval.

        Args:
            name: the metric.
            values: float [S], what ``per_sentence=True`` returns.
            direction: which way is better.
            signature: of the score.
            confidence: as in `bootstrap_interval`.
            resamples: as in `bootstrap_interval`.
            seed: as in `bootstrap_interval`.

        Raises:
            MetricError: as in `bootstrap_interval`.
        """
        interval = bootstrap_interval(values, confidence, resamples, seed)
        mean = float(np.mean(np.asarray(values, dtype=np.float64)))
        return cls(name, mean, interval, len(values), direction, signature)


def signature(metric: str, **settings: object) -> str:
    """The signature of a score.

    ``signature("self-bleu-4", refs="leave-one-out", tok="words", n=10000, smooth="method1")`` is
    ``metric:self-bleu-4|refs:leave-one-out|tok:words|n:10000|smooth:method1|version:0.2.0``.

    Args:
        metric: the name of the metric.
        **settings: everything that changes the value, in the order in which it is to be read.
            None is left out; True and False become yes and no.

    Raises:
        MetricError: a name or value holds a ``|``, which would break the signature apart.
    """
    pairs = {"metric": metric, **settings, "version": __version__}
    words = {True: "yes", False: "no"}
    parts = [
        f"{key}:{words[value] if isinstance(value, bool) else value}"
        for key, value in pairs.items()
        if value is not None
    ]
    if any("|" in part for part in parts):
        raise MetricError(f"a signature cannot hold '|' within a setting: {parts}")
    return "|".join(parts)


def bootstrap_interval(
    values: Floats | Sequence[float],
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean over sequences (Efron 1979).

    It tells how far the value would move with another sample of sequences from the same model. It
    treats the values as independent, so of a self-BLEU, where each sentence is a reference of the
    others, it takes the references as given; and it knows nothing of the spread over training runs.

    Args:
        values: float [S], one value per sequence, S at least 2.
        confidence: the coverage, between 0 and 1.
        resamples: how many times the sequences are drawn anew. The cost is S times this.
        seed: of the draws.

    Returns:
        The lower and the upper end.

    Raises:
        MetricError: there are fewer than two values, one is not finite, or a setting makes no
            sense.
    """
    return statistic_interval(lambda mean: mean, (values,), False, confidence, resamples, seed)


def statistic_interval(
    statistic: Callable[..., Any],
    arrays: Iterable[Floats | Sequence[float]],
    paired: bool,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a function of means of one value per sequence.

    Scores with one seed of as many sequences share their draws.

    Args:
        statistic: a function of the mean of each array, floats or arrays [resamples] of them:
            ``lambda nats, tokens: nats / tokens`` for nats per token.
        arrays: float [S] each; sets of different sequences may differ in size.
        paired: the i-th values of all arrays belong to one sequence, and are drawn together.
        confidence: as in `bootstrap_interval`.
        resamples: as in `bootstrap_interval`.
        seed: as in `bootstrap_interval`.

    Returns:
        The lower and the upper end.

    Raises:
        MetricError: as in `bootstrap_interval`; or paired arrays differ in size.
    """
    sets = tuple(_checked(array) for array in arrays)
    _check_bootstrap(confidence, resamples)
    if paired and len({array.size for array in sets}) > 1:
        raise MetricError(f"paired values differ in number: {[array.size for array in sets]}")
    if all(np.ptp(array) == 0 for array in sets):  # nothing varies
        value = float(statistic(*(array.mean() for array in sets)))
        return (value, value)
    means = [
        _resampled_means(array, resamples, seed, 0 if paired else place)
        for place, array in enumerate(sets)
    ]
    low, high = np.quantile(statistic(*means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled_means(values: Floats, resamples: int, seed: int, place: int) -> Floats:
    """The mean of each resample [resamples], the draws turned into floats some at a time."""
    asked = (values.size, resamples, seed, place)
    draws = _kept_draws(*asked) if values.size * resamples <= MOST_KEPT else _draws(*asked)
    return np.concatenate([part.astype(np.float64) @ values for part in draws]) / values.size


@functools.lru_cache(maxsize=4)
def _kept_draws(size: int, resamples: int, seed: int, place: int) -> list[np.ndarray]:
    """The draws, made once for all scores of as many sequences."""
    return list(_draws(size, resamples, seed, place))


def _draws(size: int, resamples: int, seed: int, place: int) -> Iterator[np.ndarray]:
    """Times that each of `size` sequences is drawn, for some resamples at once: uint16 [., size].

    Args:
        size: of the set, and of each resample.
        resamples: how many.
        seed: of the draws.
        place: of the set among those that are drawn apart.
    """
    rng = np.random.default_rng([seed, place] if place else seed)
    step = max(1, BATCH_NUMBERS // size)
    for start in range(0, resamples, step):
        counts = np.empty((min(step, resamples - start), size), dtype=np.uint16)
        for row in counts:
            row[:] = np.bincount(rng.integers(size, size=size), minlength=size)
        counts.flags.writeable = False  # others are given the same
        yield counts


def wilson_interval(share: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share (Wilson 1927), which knows what a bootstrap cannot see.

    Where 1,000 of 1,000 sequences have a property, every resample has it in all of them, and the
    bootstrap's interval is [1, 1]. This one is [0.996, 1].

    Args:
        share: the share that was found, or the mean of values between 0 and 1: their variance is
            no larger than that of a share, so the interval is then no narrower than it must be.
        count: of how many.
        confidence: the coverage, between 0 and 1.

    Returns:
        The lower and the upper end, both in [0, 1].

    Raises:
        MetricError: the share is not in [0, 1], or there is nothing that it is of.
    """
    if not 0 <= share <= 1 or count < 1:
        raise MetricError(f"a share lies in [0, 1] and is of 1 or more, got {share} of {count}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    reach = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / scale
    return min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach))


def jackknife_interval(
    value: float, left_out: Sequence[float] | Floats, confidence: float = 0.95
) -> tuple[float, float]:
    r"""The interval of a statistic from its values with each of G groups left out (Tukey 1958).

    The variance is :math:`\frac{G-1}{G} \sum_g (v_g - \bar v)^2`, the interval that of Student's t
    with G - 1 degrees of freedom. Unlike a bootstrap it makes no copies, so it suits statistics
    that grow with the number of different sequences. It is rather too wide than too narrow (Efron
    and Stein 1981).

    Args:
        value: the statistic of all sequences.
        left_out: its values without each group, two or more; groups of (nearly) equal size.
        confidence: the coverage, between 0 and 1.

    Raises:
        MetricError: there are fewer than two groups.
    """
    values = np.asarray(left_out, dtype=np.float64)
    groups = len(values)
    if groups < 2:
        raise MetricError(f"a jackknife needs two groups or more, got {groups}")
    from scipy.stats import t  # a slow import that the metrics themselves do not need

    error = math.sqrt((groups - 1) / groups * float(((values - values.mean()) ** 2).sum()))
    reach = float(t.ppf((1 + confidence) / 2, groups - 1)) * error
    return value - reach, value + reach


def _checked(values: Floats | Sequence[float]) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size < 2 or not np.isfinite(numbers).all():
        raise MetricError(
            "a bootstrap interval needs at least two finite values in one dimension, got shape "
            f"{list(numbers.shape)}, {int(np.isfinite(numbers).sum())} of them finite"
        )
    return numbers


def _check_bootstrap(confidence: float, resamples: int) -> None:
    if not 0 < confidence < 1 or resamples < 1:
        raise MetricError(
            f"confidence must lie between 0 and 1 and resamples be at least 1, got {confidence} "
            f"and {resamples}"
        )
