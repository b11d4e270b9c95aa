"""The rewards that the GAN losses are for policy gradient.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollout import DiscriminatorReward, Reward, Sequences
from rollout.modules import evaluating

from ..config import DiscriminatorTerm
from ..models.gan_losses import GAN_LOSSES
from ..seeding import rng_for
from .ingredients import Ingredients

__all__ = ["GANReward", "discriminator_reward"]

COMPARED = 256
"""Real sequences that a relativistic reward compares with."""
BATCH = 512
"""Sequences whose features are computed at once."""


def discriminator_reward(term: DiscriminatorTerm, given: Ingredients) -> Reward:
    """The discriminator's judgement in the form that the term names."""
    assert given.discriminator is not None, "a discriminator's reward needs the discriminator"
    if term.form in DiscriminatorReward.FORMS:
        return DiscriminatorReward(given.discriminator, term.form, precision=term.precision)
    judge = DiscriminatorReward(given.discriminator, "log_odds", precision=term.precision)
    real, rng = given.train, rng_for(given.seed, "rewards", "real")
    rows = torch.randperm(len(real), generator=rng)[:COMPARED]
    return GANReward(judge, term.form, real.select(rows.to(real.device)))


class GANReward:
    """Reward of a sequence under a row of `GAN_LOSSES`.

    Args:
        judge: the discriminator's logits as a reward.
        name: of the row.
        real: real sequences, which the relativistic rewards compare with; the others read none.
    """

    def __init__(self, judge: DiscriminatorReward, name: str, real: Sequences):
        self.judge, self.real = judge, real
        self.loss = GAN_LOSSES[name]

    @property
    def per_token(self) -> bool:
        """True if the discriminator judges every token."""
        return self.judge.per_token

    @property
    def causal(self) -> bool:
        """True if a discriminator that judges every token looks at no later ones."""
        return self.judge.causal

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] (or [B, T]) of the sequences."""
        if self.loss.features:
            return self.loss.reward(self._features(sequences), self._features(self.real))
        logits = self.judge(sequences)
        if self.per_token:  # of every prefix: its log-odds are the sum of its tokens'
            logits = logits.cumsum(1)
        real = self.judge(self.real) if self.loss.relativistic else logits.new_zeros(1)
        return self.loss.reward(logits.flatten(), real.flatten()).view_as(logits)

    def _features(self, sequences: Sequences) -> Tensor:
        """The discriminator's features [B, H]."""
        judge: Any = self.judge.discriminator
        with evaluating(judge):
            parts = [judge.features(part) for part in sequences.split(BATCH)]
        return torch.cat(parts).float()
