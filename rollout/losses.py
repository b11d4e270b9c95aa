"""Losses of the policy gradient: pure functions of token scores [B, T].

Each returns one number to be minimised. They are sums over the tokens of a sequence and means over
the B sequences, so that their gradient is that of an expectation over sequences.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "clipped_surrogate_loss",
    "entropy_bonus",
    "kl_to_reference",
    "nll_loss",
    "reinforce_loss",
]


def _per_sequence(terms: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, terms, 0.0).sum() / terms.shape[0]


def nll_loss(log_prob: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood a token in nats: the mean over all tokens, padding not counted."""
    return -torch.where(mask, log_prob, 0.0).sum() / mask.sum().clamp(min=1)


def reinforce_loss(log_prob: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
    """``-sum_t A_t log pi(y_t | y_<t)``, mean over sequences.

    Its gradient is the negative policy gradient (Williams 1992; Yu et al. 2017, equation 8).

    Args:
        log_prob: [B, T], with gradient.
        advantage: [B, T], without.
        mask: bool [B, T].
    """
    return -_per_sequence(log_prob * advantage.detach(), mask)


def clipped_surrogate_loss(
    log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, mask: Tensor, clip: float = 0.2
) -> Tensor:
    """The clipped surrogate of PPO (Schulman et al. 2017, equation 7), mean over sequences.

    Args:
        log_prob: [B, T], under the policy that is trained.
        old_log_prob: [B, T], under the policy that sampled the sequences.
        advantage: [B, T].
        mask: bool [B, T].
        clip: the ratio pi / pi_old counts within [1 - clip, 1 + clip].
    """
    # 0 past the end: a ratio there would be exp of whatever stands in the padding.
    log_ratio = torch.where(mask, log_prob - old_log_prob.detach(), 0.0)
    ratio = log_ratio.exp()
    advantage = advantage.detach()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -_per_sequence(torch.minimum(ratio * advantage, clipped * advantage), mask)


def entropy_bonus(entropy: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean entropy a token in nats; minimising it keeps the policy spread out.

    Its gradient is that of each step's entropy, with the prefixes held fixed.
    """
    return -torch.where(mask, entropy, 0.0).sum() / mask.sum().clamp(min=1)


def kl_to_reference(
    log_prob: Tensor, reference_log_prob: Tensor, mask: Tensor, estimator: str = "k2"
) -> Tensor:
    """KL(policy || reference) in nats a sequence, estimated on sequences of the policy itself.

    With r = log pi_ref(y_t | y_<t) - log pi(y_t | y_<t), summed over tokens (names by J. Schulman,
    "Approximating KL divergence", 2020):

    * "k1": -r. Unbiased as a value; its gradient has mean 0, so it trains nothing.
    * "k2": r^2 / 2. Biased as a value, but its gradient is in expectation exactly that of each
      step's KL with the prefixes held fixed: the one to train with.
    * "k3": exp(r) - 1 - r. Unbiased and never negative as a value; its gradient is that of the KL
      of the opposite direction.

    Args:
        log_prob: [B, T], with gradient.
        reference_log_prob: [B, T], under the reference (the pretrained policy).
        mask: bool [B, T].
        estimator: "k1", "k2" or "k3".

    Raises:
        ValueError: an unknown estimator.
    """
    r = torch.where(mask, reference_log_prob.detach() - log_prob, 0.0)
    if estimator == "k1":
        return _per_sequence(-r, mask)
    if estimator == "k2":
        return _per_sequence(0.5 * r**2, mask)
    if estimator == "k3":
        return _per_sequence(r.exp() - 1 - r, mask)
    raise ValueError(f"estimator must be k1, k2 or k3, got {estimator!r}")
