"""The likelihood under a model as a reward.

Shapes: B sequences.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rollout import Sequences
from rollout.modules import evaluating

from ..config.rewards import LikelihoodTerm
from .ingredients import Ingredients

__all__ = ["Likelihood"]

BATCH = 512
"""Sequences scored at once."""
LEAST = -100.0
"""Smallest reward, in nats per token: what the model never emits has -inf."""


class Likelihood:
    """Log-likelihood of a sequence under a model, in nats per token."""

    def __init__(self, term: LikelihoodTerm, given: Ingredients):
        policy = given.reference if term.model is None else given.load(term.model)
        assert policy is not None, "the likelihood under the pretrained model needs that model"
        self.policy = policy

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences."""
        with evaluating(self.policy):
            parts = [self.policy(part).log_prob.sum(1) for part in sequences.split(BATCH)]
        total = torch.cat(parts).float() / sequences.lengths.clamp(min=1)
        return total.clamp(min=LEAST)
