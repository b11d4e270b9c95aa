"""The held-out gain of a discriminator: what there is to learn from it, in nats a sequence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

__all__ = ["HeldoutGain", "heldout_gain"]


class HeldoutGain(NamedTuple):
    """What a discriminator knows of held-out data.

    Attributes:
        raw: gain in nats a sequence with the log-odds as they are (beta = 1), on the second half.
        calibrated: gain with `beta`, on the second half.
        low: lower end of the calibrated gain's 95% bootstrap interval.
        high: its upper end.
        beta: the factor fitted on the first half.
        fitted: gain with `beta` on the first half: the one to choose a checkpoint by, so that the
            other stays untouched by the choice.
    """

    raw: float
    calibrated: float
    low: float
    high: float
    beta: float
    fitted: float


def gain(real: np.ndarray, generated: np.ndarray, beta: float) -> float:
    """``mean(beta f_real) - log mean exp(beta f_generated)``, nats a sequence.

    It is how much held-out log-likelihood the policy would gain if it were reweighted by
    ``exp(beta f)``.

    Args:
        real: log-odds [n] of held-out real sequences.
        generated: log-odds [m] of samples of the policy.
        beta: factor on the log-odds.
    """
    return float(beta * real.mean() - logsumexp(beta * generated) + np.log(len(generated)))


def heldout_gain(
    real: np.ndarray, generated: np.ndarray, *, resamples: int = 500, seed: int = 0
) -> HeldoutGain:
    """The gain of a discriminator with log-odds f, its temperature fitted on half of the data.

    beta >= 0 is fitted on one half of the real and generated sequences (the gain is concave in
    it); the gain is reported on the other half with a bootstrap interval.

    Args:
        real: log-odds [n] of real sequences that neither model was trained on; n >= 4.
        generated: log-odds [m] of fresh samples of the policy; m >= 4.
        resamples: bootstrap resamples of both.
        seed: of the bootstrap.
    """
    if len(real) < 4 or len(generated) < 4:
        raise ValueError("the held-out gain needs 4 real and 4 generated sequences or more")
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    fit_real, test_real = real[::2], real[1::2]
    fit_generated, test_generated = generated[::2], generated[1::2]
    fitted = minimize_scalar(
        lambda beta: -gain(fit_real, fit_generated, beta), bounds=(0.0, 10.0), method="bounded"
    )
    beta = float(fitted.x)
    if gain(fit_real, fit_generated, beta) <= 0:
        beta = 0.0
    rng = np.random.default_rng(seed)
    draws = [
        gain(
            test_real[rng.integers(len(test_real), size=len(test_real))],
            test_generated[rng.integers(len(test_generated), size=len(test_generated))],
            beta,
        )
        for _ in range(resamples)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return HeldoutGain(
        raw=gain(test_real, test_generated, 1.0),
        calibrated=gain(test_real, test_generated, beta),
        low=float(low),
        high=float(high),
        beta=beta,
        fitted=gain(fit_real, fit_generated, beta),
    )
