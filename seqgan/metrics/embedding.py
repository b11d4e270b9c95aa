r"""Distances between two sets of embeddings: Frechet distance and MAUVE.

The Frechet distance between two normal distributions (Dowson and Landau 1982) is taken between the
means and covariances of embeddings, as Heusel et al. 2017 did for images and de Masson d'Autume et
al. 2019 ("Training language GANs from scratch") for sentences:

.. math:: d^2 = |\mu_x - \mu_y|^2
          + \mathrm{tr}\big(\Sigma_x + \Sigma_y - 2 (\Sigma_x \Sigma_y)^{1/2}\big)

An estimate from N sequences is too large, the more so the fewer there are, and two samples of one
distribution are not at distance 0. So both sets must have the same size, and a value is read beside
that of real sequences against other real ones of the same number.

Shapes: N sequences, E numbers of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from seqgan.errors import MetricError, MissingExtraError
from seqgan.metrics.tokens import Floats

__all__ = ["centred_interval", "frechet_distance", "frechet_interval", "mauve"]

FRECHET_RESAMPLES = 100
"""Bootstrap resamples at most: each takes the spectrum of an E x E matrix, some 0.15 s at E = 512.
Enough for a standard error (known to 7%), too few for percentiles."""


def frechet_distance(generated: Floats, real: Floats) -> float:
    r"""The squared Frechet distance of two sets of embeddings, each taken for normal.

    Covariances are unbiased (divided by N - 1). The trace of the root is the sum of the roots of
    the eigenvalues of :math:`\Sigma_x^{1/2} \Sigma_y \Sigma_x^{1/2}`, which are those of the
    product and, unlike it, of a symmetric matrix: no complex root, whatever the rank.

    Args:
        generated: float [N, E].
        real: float [N, E], as many.

    Returns:
        The distance, 0 or more, in squared units of the embedding; 0 for equal sets.

    Raises:
        MetricError: the numbers of sequences or of dimensions differ, there are fewer than two
            sequences, or a number is not finite.
    """
    x, y = _embeddings(generated, "generated"), _embeddings(real, "real")
    if x.shape != y.shape:
        raise MetricError(
            "the Frechet distance depends on the number of sequences, so both sets need the same: "
            f"got {list(x.shape)} generated and {list(y.shape)} real"
        )
    return _frechet(x, y)


def frechet_interval(
    generated: Floats, real: Floats, confidence: float = 0.95, resamples: int = 100, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap interval of `frechet_distance` over the sequences of both sets.

    A resample holds copies, so its distance is larger than that of the sets: the spread of the
    resamples is put around the value itself (see `centred_interval`).

    Args:
        generated: float [N, E].
        real: float [N, E].
        confidence: the coverage, between 0 and 1.
        resamples: how many, at most 100.
        seed: of the draws.

    Returns:
        The lower end, 0 or more, and the upper end.

    Raises:
        MetricError: as in `frechet_distance`.
    """
    value = frechet_distance(generated, real)
    x, y = _embeddings(generated, "generated"), _embeddings(real, "real")
    rng, n = np.random.default_rng(seed), len(x)
    draws = [
        _frechet(x[rng.integers(n, size=n)], y[rng.integers(n, size=n)])
        for _ in range(min(resamples, FRECHET_RESAMPLES))
    ]
    low, high = centred_interval(value, draws, confidence)
    return max(0.0, low), high


def centred_interval(value: float, draws: list[float], confidence: float) -> tuple[float, float]:
    """The normal interval around a value with the standard error of its bootstrap draws.

    For statistics whose bootstrap draws are biased, and where few draws can be afforded.

    Args:
        value: the statistic of the sequences themselves.
        draws: the statistic of resamples, two or more.
        confidence: the coverage, between 0 and 1.
    """
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * float(np.std(draws, ddof=1))
    return value - reach, value + reach


def mauve(generated: Floats, real: Floats, seed: int = 0) -> float:
    """MAUVE (Pillutla et al. 2021) of two sets of embeddings, by the package ``mauve-text``.

    Both sets are quantised by k-means, and the area under the curve of their two Kullback-Leibler
    divergences from mixtures of both is taken.

    Args:
        generated: float [N, E].
        real: float [N, E], as many.
        seed: of k-means.

    Returns:
        A number in (0, 1]; higher is nearer.

    Raises:
        MissingExtraError: ``mauve-text`` is not installed.
        MetricError: as in `frechet_distance`.
    """
    x, y = _embeddings(generated, "generated"), _embeddings(real, "real")
    if x.shape != y.shape:
        raise MetricError(
            f"MAUVE needs two sets of the same size, got {list(x.shape)} generated and "
            f"{list(y.shape)} real"
        )
    compute = require_mauve()
    return float(compute(p_features=y, q_features=x, seed=seed, verbose=False).mauve)


def require_mauve() -> Callable:
    """The function of ``mauve-text``, which is GPL: imported where it is asked for, never before.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from mauve import compute_mauve
    except ImportError as error:
        raise MissingExtraError("mauve-text", "eval", "MAUVE") from error
    function: Callable = compute_mauve
    return function


def _frechet(x: Floats, y: Floats) -> float:
    difference = x.mean(0) - y.mean(0)
    cov_x, cov_y = _covariance(x), _covariance(y)
    values, vectors = np.linalg.eigh(cov_y)
    root = vectors * np.sqrt(np.clip(values, 0, None))  # cov_y = root @ root.T
    spectrum = np.linalg.eigvalsh(root.T @ cov_x @ root)
    trace = np.trace(cov_x) + np.trace(cov_y) - 2 * np.sqrt(np.clip(spectrum, 0, None)).sum()
    return max(0.0, float(difference @ difference + trace))  # below 0 by rounding only


def _covariance(x: Floats) -> Floats:
    centred = x - x.mean(0)
    covariance: Floats = centred.T @ centred / (len(x) - 1)
    return covariance


def _embeddings(values: Floats, what: str) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 2 or len(numbers) < 2 or not numbers.size:
        raise MetricError(
            f"{what}: embeddings [N, E] of two sequences or more needed, got shape "
            f"{list(numbers.shape)}"
        )
    if not np.isfinite(numbers).all():
        raise MetricError(f"{what}: an embedding is not finite")
    return numbers
