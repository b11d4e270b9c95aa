"""The loss of a policy gradient step, as the settings compose it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rollout import (
    Sequences,
    TokenScores,
    clipped_surrogate_loss,
    entropy_bonus,
    kl_to_reference,
    reinforce_loss,
)

from ..config import PolicyGradient
from .processes import Part

__all__ = ["PolicyBatch", "policy_loss"]


@dataclass(frozen=True)
class PolicyBatch:
    """Samples with what the update needs to know of them.

    Attributes:
        whole: all samples of the batch.
        part: the rows of them that this process works on; what follows is of these alone.
        mine: the samples.
        advantage: [rows, T].
        old: their scores under the policy that sampled them.
        reference: their scores under the pretrained policy, where a KL weight asks for them.
        spread: standard deviation of the advantages over the tokens of the whole batch.
        mean_reward: of the whole batch.
    """

    whole: Sequences
    part: Part
    mine: Sequences
    advantage: Tensor
    old: TokenScores
    reference: TokenScores | None
    spread: Tensor
    mean_reward: Tensor


def policy_loss(scores: TokenScores, batch: PolicyBatch, config: PolicyGradient) -> Tensor:
    """What this process's part adds to the loss of the batch.

    Args:
        scores: of ``batch.mine`` under the policy that is trained.
        batch: the samples.
        config: which loss, and the weights of what is added to it.
    """
    mask, part = batch.mine.mask, batch.part
    if config.loss == "clipped":
        loss = clipped_surrogate_loss(
            scores.log_prob, batch.old.log_prob, batch.advantage, mask, config.clip
        )
    else:
        loss = reinforce_loss(scores.log_prob, batch.advantage, mask)
    loss = part.of_sequences(loss)
    if config.entropy_weight:
        bonus = part.of_tokens(entropy_bonus(scores.entropy, mask), batch.whole)
        loss = loss + config.entropy_weight * bonus
    if batch.reference is not None:
        kl = part.of_sequences(kl_to_reference(scores.log_prob, batch.reference.log_prob, mask))
        loss = loss + config.kl_weight * kl
    return loss
