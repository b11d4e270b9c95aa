"""Losses of generators: pure functions of token scores [B, T], each one number to be minimised.

Unless an aggregation says otherwise they are sums over the tokens of a sequence and means over the
B sequences, so that their gradient is that of an expectation over sequences.

Shapes: B sequences, T tokens. `mask` is bool [B, T], True at the tokens of a sequence. Every loss
raises ValueError if a tensor has another shape than its docstring says.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .shapes import check_rows, check_tokens

__all__ = [
    "AGGREGATIONS",
    "aggregate",
    "augmented_likelihood_loss",
    "clipped_surrogate_loss",
    "entropy_bonus",
    "kl_to_reference",
    "nll_loss",
    "reinforce_loss",
    "sequence_surrogate_loss",
    "value_loss",
    "weighted_nll_loss",
]

AGGREGATIONS = ("sequence_sum", "sequence_mean", "token_mean", "constant")
"""Ways to make one number of all tokens' terms, see `aggregate`."""


def aggregate(
    terms: Tensor,
    mask: Tensor,
    aggregation: str = "sequence_sum",
    max_length: int | None = None,
) -> Tensor:
    """One number from the terms of all tokens.

    * "sequence_sum": ``(1 / B) sum_b sum_t``, the gradient of an expectation over sequences.
    * "sequence_mean": ``(1 / B) sum_b (1 / L_b) sum_t``, every sequence counts the same (GRPO,
      Shao et al. 2024, equation 3); long ones get smaller steps per token.
    * "token_mean": ``sum_b sum_t / sum_b L_b``, every token of the batch counts the same (DAPO, Yu
      et al. 2025, section 3.3).
    * "constant": ``(1 / (B * max_length)) sum_b sum_t``, as "sequence_sum" but for a constant, so
      that the size of a step does not depend on the lengths (Dr. GRPO, Liu et al. 2025, section
      3).

    Args:
        terms: [B, T].
        mask: bool [B, T].
        aggregation: one of `AGGREGATIONS`.
        max_length: the constant of "constant" in tokens, at least 1; has no effect on the others.

    Raises:
        ValueError: an unknown aggregation, or "constant" without a `max_length`.
    """
    check_tokens(mask, terms=terms)
    total = torch.where(mask, terms, 0.0)
    if aggregation == "sequence_sum":
        return total.sum() / len(terms)
    if aggregation == "sequence_mean":
        return (total.sum(1) / mask.sum(1).clamp(min=1)).sum() / len(terms)
    if aggregation == "token_mean":
        return total.sum() / mask.sum().clamp(min=1)
    if aggregation != "constant":
        raise ValueError(
            f"aggregation must be one of {', '.join(AGGREGATIONS)}, got {aggregation!r}"
        )
    if max_length is None or max_length < 1:
        raise ValueError(f"aggregation 'constant' needs max_length of 1 or more, got {max_length}")
    return total.sum() / (len(terms) * max_length)


def nll_loss(log_prob: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood in nats per token: the mean over all tokens, padding not counted.

    Args:
        log_prob: [B, T], with gradient.
        mask: bool [B, T].
    """
    check_tokens(mask, log_prob=log_prob)
    return -torch.where(mask, log_prob, 0.0).sum() / mask.sum().clamp(min=1)


def weighted_nll_loss(log_prob: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    """Weighted maximum likelihood, ``-sum_b w_b sum_t log pi(y_bt) / sum_b L_b``.

    With weights 1 it is `nll_loss`. With ``w = p / q`` on samples of q it is the likelihood of p
    (as in Khalifa et al. 2021, with q kept fixed). It is linear in the weights, so batches of
    one weighted data set add up to the whole set's gradient; the weights should have mean 1 over
    that set, not over the batch.

    Args:
        log_prob: [B, T], with gradient.
        weights: [B], one per sequence, without gradient.
        mask: bool [B, T].
    """
    check_tokens(mask, log_prob=log_prob)
    check_rows(len(mask), weights=weights)
    return nll_loss(log_prob * weights.detach()[:, None].to(log_prob.dtype), mask)


def reinforce_loss(
    log_prob: Tensor,
    advantage: Tensor,
    mask: Tensor,
    *,
    aggregation: str = "sequence_sum",
    max_length: int | None = None,
) -> Tensor:
    """``-sum_t A_t log pi(y_t | y_<t)``, mean over sequences.

    Its gradient is the negative policy gradient (Williams 1992; Yu et al. 2017, equation 8). For
    samples of an older policy multiply the advantage by `truncated_importance_weights`.

    Args:
        log_prob: [B, T], with gradient.
        advantage: [B, T], without.
        mask: bool [B, T].
        aggregation: how the tokens' terms are added up, see `aggregate`.
        max_length: of "constant".
    """
    check_tokens(mask, log_prob=log_prob, advantage=advantage)
    # 0 past the end: the gradient there would be 0 times whatever stands in the padding.
    advantage = torch.where(mask, advantage.detach(), 0.0)
    return -aggregate(log_prob * advantage, mask, aggregation, max_length)


def clipped_surrogate_loss(
    log_prob: Tensor,
    old_log_prob: Tensor,
    advantage: Tensor,
    mask: Tensor,
    clip: float = 0.2,
    *,
    clip_high: float | None = None,
    aggregation: str = "sequence_sum",
    max_length: int | None = None,
) -> Tensor:
    """The clipped surrogate of PPO (Schulman et al. 2017, equation 7), mean over sequences.

    ``-min(r_t A_t, clamp(r_t, 1 - clip, 1 + clip_high) A_t)`` with ``r_t = pi / pi_old``. A
    `clip_high` above `clip` lets unlikely tokens gain more before they are cut off (DAPO's
    "clip-higher", Yu et al. 2025, section 3.1).

    Args:
        log_prob: [B, T], under the policy that is trained, with gradient.
        old_log_prob: [B, T], under the policy that sampled the sequences.
        advantage: [B, T].
        mask: bool [B, T].
        clip: how far the ratio counts below 1, from 0 to below 1.
        clip_high: how far it counts above 1; None: as far as below.
        aggregation: how the tokens' terms are added up, see `aggregate`.
        max_length: of "constant".
    """
    check_tokens(mask, log_prob=log_prob, old_log_prob=old_log_prob, advantage=advantage)
    # 0 past the end: a ratio there would be exp of whatever stands in the padding.
    log_ratio = torch.where(mask, log_prob - old_log_prob.detach(), 0.0)
    advantage = torch.where(mask, advantage, 0.0)
    terms = _clipped(log_ratio.exp(), advantage, clip, clip_high)
    return -aggregate(terms, mask, aggregation, max_length)


def sequence_surrogate_loss(
    log_prob: Tensor,
    old_log_prob: Tensor,
    advantage: Tensor,
    mask: Tensor,
    clip: float = 0.2,
    *,
    clip_high: float | None = None,
    per_token: bool = True,
) -> Tensor:
    """The clipped surrogate with one ratio per sequence, mean over sequences.

    ``-min(s A, clamp(s, 1 - clip, 1 + clip_high) A)`` with ``s = (pi(y) / pi_old(y))^(1 / L)``
    (GSPO, Zheng et al. 2025, equations 5 and 7), or without the root: the true importance weight
    of the sequence (TextGAIL, Wu et al. 2021), which needs a far wider clip for long sequences.

    Args:
        log_prob: [B, T], under the policy that is trained, with gradient.
        old_log_prob: [B, T], under the policy that sampled the sequences.
        advantage: [B], one per sequence.
        mask: bool [B, T].
        clip: how far the ratio counts below 1, from 0 to below 1.
        clip_high: how far it counts above 1; None: as far as below.
        per_token: take the L-th root, the geometric mean of the tokens' ratios.
    """
    check_tokens(mask, log_prob=log_prob, old_log_prob=old_log_prob)
    check_rows(len(mask), advantage=advantage)
    log_ratio = torch.where(mask, log_prob - old_log_prob.detach(), 0.0).sum(1)
    if per_token:
        log_ratio = log_ratio / mask.sum(1).clamp(min=1)
    return -_clipped(log_ratio.exp(), advantage, clip, clip_high).mean()


def augmented_likelihood_loss(
    log_prob: Tensor, prior_log_prob: Tensor, scores: Tensor, mask: Tensor, sigma: float = 128.0
) -> Tensor:
    """``(log prior(y) + sigma S(y) - log pi(y))^2``, mean over sequences.

    REINVENT's loss (Olivecrona et al. 2017, "Molecular de-novo design through deep reinforcement
    learning"; "DAP" in REINVENT4). It pulls the policy towards ``prior * exp(sigma S)``, whose
    normaliser it leaves out.

    Args:
        log_prob: [B, T], under the policy that is trained, with gradient.
        prior_log_prob: [B, T], under the pretrained policy.
        scores: [B], the rewards S, usually from 0 to 1.
        mask: bool [B, T].
        sigma: nats per unit of reward.
    """
    check_tokens(mask, log_prob=log_prob, prior_log_prob=prior_log_prob)
    check_rows(len(mask), scores=scores)
    behind = torch.where(mask, prior_log_prob.detach() - log_prob, 0.0).sum(1)
    return ((behind + sigma * scores.detach()) ** 2).mean()


def value_loss(
    values: Tensor,
    targets: Tensor,
    mask: Tensor,
    *,
    old_values: Tensor | None = None,
    clip: float | None = None,
) -> Tensor:
    """``0.5 (V_t - target_t)^2``, mean over all tokens.

    With `clip` it is ``0.5 max((V - target)^2, (V_old + clamp(V - V_old, -clip, clip) -
    target)^2)``, as in the code of PPO: a value that has moved by more than `clip` towards its
    target gets no gradient.

    Args:
        values: [B, T], with gradient.
        targets: [B, T], returns or ``gae(...) + values``.
        mask: bool [B, T].
        old_values: [B, T], from before the update; needed with `clip`.
        clip: largest move that counts, in units of the values; None: no limit.

    Raises:
        ValueError: a `clip` without `old_values`.
    """
    check_tokens(mask, values=values, targets=targets)
    targets = torch.where(mask, targets, values).detach()
    errors = (values - targets) ** 2
    if clip is not None:
        if old_values is None:
            raise ValueError("a clipped value loss needs old_values")
        check_tokens(mask, old_values=old_values)
        old = old_values.detach()
        errors = torch.maximum(errors, (old + (values - old).clamp(-clip, clip) - targets) ** 2)
    return 0.5 * aggregate(errors, mask, "token_mean")


def entropy_bonus(entropy: Tensor, mask: Tensor) -> Tensor:
    """Minus the mean entropy in nats per token; minimising it keeps the policy spread out.

    Its gradient is that of each step's entropy, with the prefixes held fixed.

    Args:
        entropy: [B, T], with gradient.
        mask: bool [B, T].
    """
    check_tokens(mask, entropy=entropy)
    return -torch.where(mask, entropy, 0.0).sum() / mask.sum().clamp(min=1)


def kl_to_reference(
    log_prob: Tensor, reference_log_prob: Tensor, mask: Tensor, estimator: str = "k2"
) -> Tensor:
    """KL(policy || reference) in nats per sequence, estimated on sequences of the policy itself.

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
    check_tokens(mask, log_prob=log_prob, reference_log_prob=reference_log_prob)
    r = torch.where(mask, reference_log_prob.detach() - log_prob, 0.0)
    if estimator == "k1":
        return aggregate(-r, mask)
    if estimator == "k2":
        return aggregate(0.5 * r**2, mask)
    if estimator == "k3":
        return aggregate(r.exp() - 1 - r, mask)
    raise ValueError(f"estimator must be k1, k2 or k3, got {estimator!r}")


def _clipped(ratio: Tensor, advantage: Tensor, clip: float, clip_high: float | None) -> Tensor:
    """The smaller of ``ratio * advantage`` with and without the clip."""
    advantage = advantage.detach()
    inside = ratio.clamp(1 - clip, 1 + (clip if clip_high is None else clip_high))
    return torch.minimum(ratio * advantage, inside * advantage)
