"""RankGAN's ranking of sequences by features (Lin et al. 2017): pure functions.

Shapes: B sequences, U references, C rivals, H features.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from rollout.shapes import check_rank

__all__ = ["SHARPNESS", "log_rank", "rank_reward", "ranking_loss"]

SHARPNESS = 10.0
"""The factor of the cosines, the paper's gamma, which it leaves open."""


def log_rank(
    features: Tensor, references: Tensor, rivals: Tensor, sharpness: float = SHARPNESS
) -> Tensor:
    """The logarithm of the ranking score (Lin et al. 2017, equations 2 to 4).

    ``R(s) = mean_u exp(g cos(s, u)) / (exp(g cos(s, u)) + sum_c exp(g cos(c, u)))`` with the
    references u and the rivals c.

    Args:
        features: [B, H], of the sequences s.
        references: [U, H].
        rivals: [C, H].
        sharpness: the factor g, above 0.

    Returns:
        [B].

    Raises:
        ValueError: other shapes.
    """
    check_rank(2, features=features, references=references, rivals=rivals)
    own, known, others = (normalize(each, dim=1) for each in (features, references, rivals))
    ours = sharpness * own @ known.t()  # [B, U]
    theirs = (sharpness * others @ known.t()).logsumexp(0)  # [U]
    return (ours - torch.logaddexp(ours, theirs[None, :])).logsumexp(1) - math.log(len(known))


def ranking_loss(real: Tensor, generated: Tensor) -> Tensor:
    """``-E_real[log R(s | U, generated)] - E_generated[log(1 - R(s | U, real))]`` (equation 1).

    The first half of the real sequences are the references U, the second half the real sequences.

    Args:
        real: features [B, H] of real sequences.
        generated: features [B', H] of generated ones.
    """
    check_rank(2, real=real, generated=generated)
    references, others = _halves(real)
    up = log_rank(others, references, generated)
    down = log_rank(generated, references, others)
    return -up.mean() - torch.log1p(-down.exp().clamp(max=1 - 1e-6)).mean()


def rank_reward(generated: Tensor, real: Tensor) -> Tensor:
    """``log R`` [N] of generated sequences among one half of real ones, by the other half.

    Args:
        generated: features [N, H].
        real: features [M, H].
    """
    references, others = _halves(real)
    return log_rank(generated, references, others)


def _halves(real: Tensor) -> tuple[Tensor, Tensor]:
    """References and others; one sequence alone is both."""
    half = max(1, len(real) // 2)
    return real[:half], real[half:] if len(real) > 1 else real
