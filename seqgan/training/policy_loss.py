"""The loss of policy gradient on a batch of samples, in all of its forms.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rollout import (
    Sequences,
    TokenScores,
    augmented_likelihood_loss,
    clipped_surrogate_loss,
    entropy_bonus,
    kl_to_reference,
    reinforce_loss,
    sequence_surrogate_loss,
    truncated_importance_weights,
)

from ..config import PolicyGradient as Settings
from ..config.algorithms.checks import ON_POLICY, TOKEN_LOSSES
from .processes import Part

__all__ = ["PolicyBatch", "policy_loss", "reuses"]


@dataclass(frozen=True)
class PolicyBatch:
    """Samples with what the update needs to know of them.

    Attributes:
        whole: all samples of the batch.
        part: the rows of them that this process works on; what follows is of these alone.
        mine: the samples.
        chosen: bool [B, T], the tokens of the whole batch that the policy chose itself.
        advantage: [rows, T].
        old: their scores under the policy that sampled them.
        reference: their scores under the pretrained policy, if the loss asks for them.
        scores: the reward of each sequence [rows].
        max_length: of the policy's sequences, in tokens.
        reward_advantage: [rows, T], of the reward; another than `advantage` if the generator
            rewards its tokens itself.
        entropy_weight: of the entropy bonus.
        kl_weight: of the divergence from the pretrained policy.
    """

    whole: Sequences
    part: Part
    mine: Sequences
    chosen: Tensor
    advantage: Tensor
    old: TokenScores
    reference: TokenScores | None
    scores: Tensor
    max_length: int
    reward_advantage: Tensor
    entropy_weight: float | Tensor = 0.0
    kl_weight: float | Tensor = 0.0


def policy_loss(scores: TokenScores, batch: PolicyBatch, settings: Settings) -> Tensor:
    """The share of this process in the loss of the batch.

    Args:
        scores: of ``batch.mine`` under the policy that is trained.
        batch: the samples.
        settings: which loss, and how the tokens' losses are added up.
    """
    part, mask = batch.part, batch.chosen[batch.part.rows]
    loss = _main_loss(scores, batch, mask, settings)
    if settings.aggregation == "token_mean" and settings.loss in TOKEN_LOSSES:
        loss = part.of_tokens(loss, batch.chosen)
    else:
        loss = part.of_sequences(loss)
    if settings.entropy_weight or settings.entropy_target is not None:
        bonus = part.of_tokens(entropy_bonus(scores.entropy, mask), batch.chosen)
        loss = loss + batch.entropy_weight * bonus
    if settings.kl_weight or settings.kl_target is not None:
        assert batch.reference is not None
        kl = kl_to_reference(
            scores.log_prob, batch.reference.log_prob, mask, settings.kl_estimator
        )  # fmt: skip
        loss = loss + batch.kl_weight * part.of_sequences(kl)
    return loss


def _main_loss(scores: TokenScores, batch: PolicyBatch, mask: Tensor, settings: Settings) -> Tensor:
    """The loss of the rows of this process, by itself."""
    log_prob, old = scores.log_prob, batch.old.log_prob
    how: Any = {"aggregation": settings.aggregation, "max_length": batch.max_length}
    if settings.loss == "clipped":
        return clipped_surrogate_loss(
            log_prob, old, batch.advantage, mask, settings.clip, clip_high=settings.clip_high, **how
        )
    if settings.loss in ("sequence", "whole_sequence"):
        mean = torch.where(mask, batch.advantage, 0.0).sum(1) / mask.sum(1).clamp(min=1)
        return sequence_surrogate_loss(
            log_prob, old, mean, mask, settings.clip, clip_high=settings.clip_high,
            per_token=settings.loss == "sequence",
        )  # fmt: skip
    if settings.loss == "augmented":
        assert batch.reference is not None
        prior = batch.reference.log_prob
        return augmented_likelihood_loss(log_prob, prior, batch.scores, mask, settings.sigma)
    advantage = batch.advantage
    if settings.loss == "probability":  # SentiGAN's: sum_t G(y_t | y_<t) V in place of log G
        return reinforce_loss(log_prob.exp(), advantage, mask, **how)
    if settings.importance_cap:
        cap = settings.importance_cap
        advantage = advantage * truncated_importance_weights(log_prob, old, mask, cap)
    return reinforce_loss(log_prob, advantage, mask, **how)


def reuses(settings: Settings) -> bool:
    """Tells if the loss allows for more than one update on a batch of samples."""
    return settings.loss not in ON_POLICY or settings.importance_cap > 0
