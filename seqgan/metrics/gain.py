"""The held-out gain of a discriminator: what there is to learn from it, in nats per sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

from rollout import effective_sample_size

__all__ = [
    "Calibration",
    "HeldoutGain",
    "calibrate",
    "gain",
    "gain_in_words",
    "heldout_gain",
    "is_unreliable",
    "knowledge",
    "teaching",
]

LEAST_EFFECTIVE = 30
"""Effective samples below which a gain is unreliable. The error of the log of a mean of weights is
about 1 / sqrt(effective) nats, 0.18 at this limit, and rare samples of large weight that were not
drawn add a bias upwards. Of calibrated normal log-odds the 95% interval holds the true gain in 94%
of cases far above the limit, in 85 to 90% around it, and in 49 to 78% far below."""

LITTLE_GAIN = 0.1
"""Nats per sequence that are hardly worth learning."""
NEAR_GUESSING = 0.6
"""Held-out accuracy that goes with such a gain: 0.588 for calibrated normal log-odds."""


class Calibration(NamedTuple):
    """Log-odds f as probabilities, ``sigmoid(beta f + offset)``.

    Attributes:
        beta: factor on the log-odds, 0 or more.
        offset: added to it.
        cross_entropy: of the calibrated probabilities on the sequences that they were fitted to, in
            nats per sequence, real and generated ones counting half each; log 2 is guessing.
    """

    beta: float
    offset: float
    cross_entropy: float


class HeldoutGain(NamedTuple):
    """The knowledge that a discriminator has of held-out data.

    Attributes:
        raw: gain in nats per sequence with the log-odds as they are (beta = 1), on the second half.
        calibrated: gain with `beta`, on the second half.
        low: lower end of the calibrated gain's 95% bootstrap interval.
        high: its upper end.
        beta: the factor fitted on the first half.
        effective: effective sample size of the weights ``exp(beta f)`` on the second half.
        cross_entropy: of the calibrated log-odds on the first half, nats per sequence: what to
            choose a checkpoint by. It cannot be dominated by a few samples, and the second half
            stays untouched by the choice.
        level: f from which a sequence is rather real than generated: 0 for log-odds.
    """

    raw: float
    calibrated: float
    low: float
    high: float
    beta: float
    effective: float
    cross_entropy: float
    level: float


def gain(real: np.ndarray, generated: np.ndarray, beta: float) -> float:
    """``mean(beta f_real) - log mean exp(beta f_generated)``, nats per sequence.

    It is how much held-out log-likelihood the policy would gain if it were reweighted by
    ``exp(beta f)``. An offset of the log-odds cancels out.

    Args:
        real: log-odds [n] of held-out real sequences.
        generated: log-odds [m] of samples of the policy.
        beta: factor on the log-odds.
    """
    return float(beta * real.mean() - logsumexp(beta * generated) + np.log(len(generated)))


def calibrate(real: np.ndarray, generated: np.ndarray) -> Calibration:
    """Fits the factor and offset of log-odds by cross-entropy (Platt 1999).

    The factor that gives the largest gain would not do: where the two kinds are well apart, the
    gain of a finite sample grows without end, since no sample shows what it costs. Targets are
    Platt's, (n + 1) / (n + 2) and 1 / (m + 2), so both numbers stay finite where the two kinds do
    not overlap at all. Real and generated sequences count half each, whatever their numbers.

    Args:
        real: log-odds [n] of real sequences.
        generated: log-odds [m] of generated ones.
    """
    scale = float(np.abs(np.concatenate([real, generated])).max()) or 1.0
    f, g = real / scale, generated / scale
    of_real, of_generated = (len(f) + 1) / (len(f) + 2), 1 / (len(g) + 2)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z, w = (parameters[0] * part + parameters[1] for part in (f, g))
        value = (np.logaddexp(0, z) - of_real * z).mean()
        value += (np.logaddexp(0, w) - of_generated * w).mean()
        wrong, too = expit(z) - of_real, expit(w) - of_generated
        slope = np.array([(wrong * f).mean() + (too * g).mean(), wrong.mean() + too.mean()])
        return float(value), slope

    fitted = minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]
    )
    factor, offset = (float(x) for x in fitted.x)
    right = np.logaddexp(0, -factor * f - offset).mean()
    right += np.logaddexp(0, factor * g + offset).mean()
    return Calibration(factor / scale, offset, float(right) / 2)


def heldout_gain(
    real: np.ndarray, generated: np.ndarray, *, resamples: int = 500, seed: int = 0
) -> HeldoutGain:
    """The gain of a discriminator with log-odds f, calibrated on half of the data.

    The log-odds are calibrated on one half of the real and generated sequences; the gain is
    reported on the other half, with a bootstrap interval and the effective sample size.

    Args:
        real: log-odds [n] of real sequences that neither model was trained on; n >= 4.
        generated: log-odds [m] of fresh samples of the policy; m >= 4.
        resamples: bootstrap resamples of both.
        seed: of the bootstrap.

    Raises:
        ValueError: there are fewer than 4 of either.
    """
    if len(real) < 4 or len(generated) < 4:
        raise ValueError("the held-out gain needs 4 real and 4 generated sequences or more")
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    beta, offset, cross_entropy = calibrate(real[::2], generated[::2])
    test_real, test_generated = real[1::2], generated[1::2]
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
        effective=float(effective_sample_size(torch.from_numpy(beta * test_generated))),
        cross_entropy=cross_entropy,
        level=-offset / beta if beta > 0 else 0.0,
    )


TAUGHT = {
    "something": "so it had found something to teach",
    "nothing": "which is next to nothing: it had little to teach",
    "unknown": "which cannot be told from nothing: the held-out sequences are too few to see",
}
"""Said of what a discriminator knows, by `knowledge`."""


def knowledge(measured: Mapping[str, float]) -> str:
    """The answer to whether a discriminator knows anything that a policy could learn.

    Few held-out sequences tell neither that there is something nor that there is nothing.

    Args:
        measured: a measurement as the log has it: `heldout_gain_low` and `heldout_gain_high`,
            `heldout_accuracy` and its standard error `heldout_accuracy_error`.

    Returns:
        something, nothing or unknown.
    """
    if measured["heldout_gain_low"] > 0:
        return "something"
    reach = 1.96 * measured["heldout_accuracy_error"]
    guessing = measured["heldout_accuracy"] + reach < NEAR_GUESSING
    return "nothing" if guessing and measured["heldout_gain_high"] < LITTLE_GAIN else "unknown"


def gain_in_words(measured: Mapping[str, float]) -> str:
    """The held-out gain of a measurement, its interval, and a word where it is unreliable."""
    text = (
        f"held-out gain {measured['heldout_gain']:.3f} [{measured['heldout_gain_low']:.3f}, "
        f"{measured['heldout_gain_high']:.3f}] nats per sequence"
    )
    if is_unreliable(measured):
        text += f" (unreliable: {measured['heldout_effective']:.0f} samples carry the weight)"
    return text


def teaching(measured: Mapping[str, float]) -> str:
    """A discriminator's knowledge, in the words of the terminal and of the report."""
    low, high = measured["heldout_gain_low"], measured["heldout_gain_high"]
    text = (
        f"told {measured['heldout_accuracy']:.1%} of unseen sequences right (50% is guessing), and "
        f"held-out real sequences could have gained {measured['heldout_gain']:.3f} nats each from "
        f"its judgement (interval {low:.3f} to {high:.3f}), {TAUGHT[knowledge(measured)]}"
    )
    if is_unreliable(measured):
        text += (
            f". How large the gain is, is unreliable: {measured['heldout_effective']:.0f} samples "
            "carry its weight"
        )
    return f"{text}."


def is_unreliable(measured: Mapping[str, float]) -> bool:
    """Tells if few samples carry the weight of the held-out gain of a measurement."""
    return measured["heldout_effective"] < LEAST_EFFECTIVE
