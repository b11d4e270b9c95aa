"""Log-odds of real against generated sequences: the f of residual models and of chosen samples.

An energy is one function of `Material`, with arguments of its own, and one line in `ENERGIES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rollout import DiscriminatorReward, Sequences
from rollout.completion import policy_device
from seqgan.config import RunConfig
from seqgan.data.dataset import Dataset
from seqgan.metrics.embedders import load_embedder
from seqgan.models import Ensemble, Generator, make_discriminator
from seqgan.models.discriminators.text import text_head
from seqgan.rewards.ratio import RatioReward
from seqgan.seeding import derive_seed
from seqgan.training.critic import Critic
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.runtime import Runtime
from seqgan.training.sampling import draw

__all__ = ["ENERGIES", "Energy", "Material"]

Energy = Callable[[Sequences], np.ndarray]
"""Log-odds [n] of sequences, positive for real."""


class Material(NamedTuple):
    """All that an energy may be made of.

    Attributes:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        members: MLE models with other seeds.
    """

    mle: Generator
    data: Dataset
    config: RunConfig
    runtime: Runtime
    members: Sequence[Generator] = ()


def of_members(material: Material, combination: str = "mixture") -> Energy:
    """Log p - log q of whole sequences, p the members together and q the MLE model.

    Args:
        material: what it is made of.
        combination: of the members' probabilities.
    """
    mle = material.mle
    ratio = RatioReward(Ensemble(list(material.members), combination), mle)

    def energy(sequences: Sequences) -> np.ndarray:
        found = ratio(sequences.to(policy_device(mle))).double().sum(1)
        return found.cpu().numpy()

    return energy


def of_discriminator(material: Material) -> Energy:
    """The log-odds of the settings' discriminator, trained as before the rounds of a run."""
    mle, data, config, runtime, _ = material
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


def of_encoder(material: Material, encoder: str, hidden: int = 256, epochs: int = 40) -> Energy:
    """The log-odds of a small head on a frozen encoder of the texts.

    Args:
        material: what it is made of.
        encoder: as ``--evaluation.embedder`` names it; it must not judge the samples as well.
        hidden: units of the head's one hidden layer; 0: logistic regression.
        epochs: passes over the training sequences and as many samples; the one with the lowest
            cross-entropy on the held-out split is kept.
    """
    mle, data, _, runtime, _ = material
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


ENERGIES: dict[str, Callable[..., Energy]] = {
    "discriminator": of_discriminator,
    "encoder": of_encoder,
    "members": of_members,
}
"""Energies by name: functions of `Material` and of arguments of their own."""
