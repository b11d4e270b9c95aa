"""Held-out likelihood of residual energy models: p exp(beta f) / Z, p the MLE model (Deng 2020).

f is a discriminator's log-odds, trained against samples of p. beta is fitted on validation
sequences and one half of the samples by cross-entropy; Z is estimated on the other half, between
the two bounds of Deng et al. Intervals reach from one bound to the other, each with the error of
test sequences and samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rollout import Policy, log_partition
from seqgan.config import EvaluationConfig, RunConfig
from seqgan.data.dataset import Dataset
from seqgan.evaluation.pooled import ALL, Rows
from seqgan.metrics import Score, signature
from seqgan.metrics.catalogue import CATALOGUE, NLL, RESIDUAL_GAIN
from seqgan.metrics.gain import calibrate
from seqgan.metrics.likelihood import SequenceScores, sequence_scores
from seqgan.models import Generator
from seqgan.seeding import derive_seed
from seqgan.training.runtime import Runtime
from seqgan.training.sampling import draw

from .energies import ENERGIES, Energy, Material

__all__ = ["residual", "residual_scores"]


def residual(
    mle: Generator,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    energy: str = "discriminator",
    members: Sequence[Generator] = (),
    **arguments: Any,
) -> list[Score]:
    """Scores with an energy; see `residual_scores`.

    Args:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        energy: a name of `energies.ENERGIES`.
        members: MLE models with other seeds, for the energy that is made of them.
        arguments: of the energy.
    """
    material = Material(mle, data, config, runtime, members)
    return residual_scores(mle, data, config, runtime, ENERGIES[energy](material, **arguments))


def residual_scores(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime, energy: Energy
) -> list[Score]:
    """NLL of the test split under the residual model in nats per token, and its gain over p.

    An interval reaches from the bootstrap quantile of the cautious bound to that of the optimistic
    one, test sequences and samples drawn anew. beta is part of the model, and has no error. The
    signature holds both bounds of the gain, in nats per sequence, themselves.
    """
    count = config.evaluation.num_samples
    samples = draw(mle, count, runtime.rng("residual", "samples"), data.prompts("test")).sequences
    of_samples, of_real = energy(samples), energy(data.test)
    half = count // 2
    beta = calibrate(energy(data.validation), of_samples[:half]).beta
    scores = sequence_scores(mle, data.test.to(runtime.device))
    return _scores(
        beta, beta * of_real, beta * of_samples[half:], scores, config.evaluation, runtime.seed
    )


def _scores(
    beta: float,
    real: np.ndarray,
    own: np.ndarray,
    under_p: SequenceScores,
    settings: EvaluationConfig,
    seed: int,
) -> list[Score]:
    """NLL and gain from beta f of test sequences and of samples."""
    log_prob, lengths = under_p.log_prob.numpy(), under_p.tokens.double().numpy()

    def bounds(rows: Rows, of_own: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Gain and NLL: cautious, estimate, optimistic."""
        z = log_partition(torch.from_numpy(own[of_own]))
        gains = real[rows].mean() - np.array([z.upper, z.estimate, z.lower])
        return gains, -(log_prob[rows].mean() + gains) / lengths[rows].mean()

    rng = np.random.default_rng(derive_seed(seed, "residual", "bootstrap"))
    sizes, found = (len(real), len(own)), bounds(ALL, ALL)
    draws = np.array(
        [
            bounds(*(rng.integers(size, size=size) for size in sizes))
            for _ in range(settings.resamples)
        ]
    )
    tail = (1 - settings.confidence) / 2
    sign = {
        "beta": f"{beta:.3f}",
        "effective": f"{log_partition(torch.from_numpy(own)).effective:.0f}",
        "bounds": f"{found[0][0]:.6f}/{found[0][2]:.6f}",
        "bootstrap": f"{settings.confidence:g}/{settings.resamples}",
        "n": len(real),
    }
    scores = []
    for place, name in ((1, NLL), (0, RESIDUAL_GAIN)):
        ends = (0, 2) if name == RESIDUAL_GAIN else (2, 0)  # the lower end's bound, the upper's
        low, high = (
            float(np.quantile(draws[:, place, end], level))
            for end, level in zip(ends, (tail, 1 - tail), strict=True)
        )
        value, better = float(found[place][1]), CATALOGUE[name].direction
        scores.append(Score(name, value, (low, high), len(real), better, signature(name, **sign)))
    return scores
