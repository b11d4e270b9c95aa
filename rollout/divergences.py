"""Divergences of the next token's distribution from a target, and combinations of targets.

With q the policy and p the target, both given the same prefix, every objective has a score g of
each token v, and the gradient by the policy's logits z is ``dJ / dz_v = q_v (g_v - E_q[g])``: what
policy gradient with the reward -g has in expectation over the next token, without its variance.

| objective | g | J |
|---|---|---|
| reverse_kl | log q - log p | KL(q, p) |
| jensen_shannon | (log q - log m) / 2 | KL(q, m) / 2, with m = w p + (1 - w) q held fixed |
| forward_kl | -p / q | KL(p, q) |

The mixture m of Jensen-Shannon is that of whole sequences, ``(p(y) + q(y)) / 2``, given a prefix:
its weight is ``w = p(prefix) / (p(prefix) + q(prefix))``, and it moves with the policy. The
gradient of the divergence of whole sequences is ``sum_y grad q(y) log(q(y) / m(y)) / 2`` (the parts
that come from m cancel), so m is held fixed in it. CoT (Lu et al. 2019) learns this m by a model,
its mediator; here it is known.

Shapes: M tokens, V vocabulary, K members.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["COMBINATIONS", "LOWEST", "OBJECTIVES", "combine", "divergence", "token_scores_of"]

OBJECTIVES = ("reverse_kl", "jensen_shannon", "forward_kl")
COMBINATIONS = ("mixture", "geometric", "minimum", "quantile")
LOWEST = -1e30
"""Stands for the logarithm of 0, so that 0 log 0 is 0."""


def combine(log_probs: Tensor, how: str = "mixture", quantile: float = 0.0) -> Tensor:
    """One distribution out of the members' next-token distributions.

    * "mixture": the mean of the members' probabilities.
    * "geometric": proportional to the geometric mean (a product of experts).
    * "minimum": proportional to the smallest of the members' probabilities: a token that one of
      them doubts is unlikely.
    * "quantile": proportional to a quantile of the members' probabilities, between neighbours on
      the scale of logarithms; 0 is the minimum, 0.5 the median, 1 the maximum.

    Args:
        log_probs: [K, ..., V], each member's log-probabilities.
        how: one of `COMBINATIONS`.
        quantile: of "quantile", from 0 to 1.

    Returns:
        [..., V], log-probabilities.

    Raises:
        ValueError: an unknown combination, or a quantile outside [0, 1].
    """
    if how not in COMBINATIONS:
        raise ValueError(f"how must be one of {', '.join(COMBINATIONS)}, got {how!r}")
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile must lie in [0, 1], got {quantile}")
    if how == "mixture":
        return log_probs.logsumexp(0) - math.log(len(log_probs))
    if how == "geometric":
        return log_probs.mean(0).log_softmax(-1)
    place = quantile * (len(log_probs) - 1) if how == "quantile" else 0.0
    if place == 0:
        return log_probs.amin(0).log_softmax(-1)
    ranked, below = log_probs.sort(0).values, min(int(place), len(log_probs) - 2)
    # Finite, as between two infinities there is nothing to interpolate.
    low, high = (ranked[below + i].clamp(min=LOWEST) for i in (0, 1))
    between = torch.lerp(low, high, place - below)
    return between.masked_fill(ranked[-1].isneginf(), -torch.inf).log_softmax(-1)


def token_scores_of(
    log_q: Tensor, log_p: Tensor, objective: str = "reverse_kl", log_ratio: Tensor | None = None
) -> Tensor:
    """The score g of tokens; minus it is the reward per token of the objective.

    Args:
        log_q: [M, V] or [M], log-probabilities under the policy.
        log_p: the same under the target.
        objective: "reverse_kl" or "jensen_shannon".
        log_ratio: [M], ``log p(prefix) - log q(prefix)``, for "jensen_shannon".

    Raises:
        ValueError: another objective.
    """
    log_q, log_p = log_q.clamp(min=LOWEST), log_p.clamp(min=LOWEST)
    if objective == "reverse_kl":
        return log_q - log_p
    if objective != "jensen_shannon":
        raise ValueError(f"no score of a token for {objective!r}")
    assert log_ratio is not None
    ratio = log_ratio if log_q.ndim == 1 else log_ratio[:, None]
    weight, rest = torch.nn.functional.logsigmoid(ratio), torch.nn.functional.logsigmoid(-ratio)
    return (log_q - torch.logaddexp(weight + log_p, rest + log_q)) / 2


def divergence(
    log_q: Tensor, log_p: Tensor, objective: str = "reverse_kl", log_ratio: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The divergence of every token's distribution, and its gradient by the policy's logits.

    Args:
        log_q: [M, V], log-probabilities under the policy; -inf for tokens it cannot emit.
        log_p: [M, V], log-probabilities under the target.
        objective: one of `OBJECTIVES`.
        log_ratio: [M], ``log p(prefix) - log q(prefix)``, for "jensen_shannon".

    Returns:
        J [M] in nats, and dJ / dz [M, V], with no gradient.

    Raises:
        ValueError: an unknown objective.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, got {objective!r}")
    with torch.no_grad():
        q = log_q.exp()
        if objective == "forward_kl":
            p = log_p.exp()
            terms = p * (log_p.clamp(min=LOWEST) - log_q.clamp(min=LOWEST))
            return terms.sum(-1), q - p
        scores = token_scores_of(log_q, log_p, objective, log_ratio)
        value = torch.linalg.vecdot(q, scores)
        return value, q * scores.sub_(value[:, None])
