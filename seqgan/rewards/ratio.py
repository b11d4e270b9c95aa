"""The density ratio as a reward: log p - log q per token, p an ensemble and q the policy."""

from __future__ import annotations

import torch
from torch import Tensor

from rollout import Policy, Sequences

from ..config import RewardTerm
from ..models import Ensemble
from .ingredients import Ingredients

__all__ = ["RatioReward", "mediator_reward", "ratio_reward"]


class RatioReward:
    """``log p(y_t | y_<t) - log q(y_t | y_<t)`` of every token; q moves as the policy is trained.

    The optimal discriminator between samples of p and q has their sum as its logit, so this is a
    discriminator's reward without a discriminator, and with a part for each token.

    Args:
        ensemble: p.
        policy: q.
        batch_size: sequences scored at once.
    """

    per_token = True

    def __init__(self, ensemble: Ensemble, policy: Policy, batch_size: int = 512):
        self.ensemble, self.policy, self.batch_size = ensemble, policy, batch_size

    @torch.no_grad()
    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B, T]; 0 after a sequence's end."""
        parts = [
            self.ensemble(part).log_prob - self.policy(part).log_prob
            for part in sequences.split(self.batch_size)
        ]
        return torch.cat(parts)


def ratio_reward(term: RewardTerm, given: Ingredients) -> RatioReward:
    """The ratio of the run's ensemble and its policy."""
    assert given.ensemble is not None and given.policy is not None, "a ratio needs the ensemble"
    return RatioReward(given.ensemble, given.policy)


def mediator_reward(term: RewardTerm, given: Ingredients) -> RatioReward:
    """The ratio of the mediator and the policy; the mediator moves as it is trained."""
    assert given.mediator is not None and given.policy is not None, "CoT needs its mediator"
    return RatioReward(given.mediator, given.policy)
