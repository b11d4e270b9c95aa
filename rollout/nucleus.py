"""A policy restricted to its most likely tokens at each step, for sampling and for scoring.

Sampling by top-p (Holtzman et al. 2020, "nucleus") is a model of its own: at each step the tokens
outside the nucleus have probability 0 and the rest is normalised again. So its likelihood and its
entropy are exact, and samples and scores belong together, as with a temperature.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .policy import Policy, ReshapedPolicy, TokenScores
from .sampling import outside_nucleus
from .sequences import Sequences

__all__ = ["NucleusMixture", "NucleusPolicy"]

NUMBERS = 1 << 23
"""Logits that are sorted at a time when sequences are scored: bounds the memory to some 500 MB."""


class _Sorted(ReshapedPolicy):
    """A policy that sorts its logits, which is done for some sequences at a time."""

    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability (-inf of a token that cannot be emitted) and entropy [B, T]."""
        width = sequences.tokens.shape[1] * self.vocab_size
        score = super().forward
        scores = [score(part) for part in sequences.split(max(1, NUMBERS // width))]
        return TokenScores(*(torch.cat(found) for found in zip(*scores, strict=True)))


class NucleusPolicy(_Sorted):
    """A policy whose tokens outside the nucleus cannot be emitted.

    Args:
        policy: the policy behind it.
        top_p: the smallest set of most likely tokens whose probability reaches it is kept; in
            (0, 1].

    Raises:
        ValueError: `top_p` is not in (0, 1].
    """

    def __init__(self, policy: Policy, top_p: float):
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")
        super().__init__(policy)
        self.top_p = top_p

    def reshaped(self, logits: Tensor) -> Tensor:
        """Logits [..., V] with -inf outside the nucleus."""
        if self.top_p == 1:
            return logits
        probs, order = logits.softmax(-1).sort(dim=-1, descending=True)
        outside = torch.empty_like(probs, dtype=torch.bool)
        outside.scatter_(-1, order, outside_nucleus(probs, self.top_p))
        return logits.masked_fill(outside, -torch.inf)


class NucleusMixture(_Sorted):
    """A mixture of a policy and its nucleus: at each step ``share p + (1 - share) p_nucleus``.

    No token has probability 0 that the policy itself gives one, so importance weights back to the
    policy exist, and are at most ``1 / share`` (ColdGAN, Scialom et al. 2020, section 3).

    Args:
        policy: the policy behind it.
        top_p: of the nucleus, in (0, 1].
        share: of the policy itself, in (0, 1].
        temperature: of the policy that the nucleus is taken of.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, policy: Policy, top_p: float, share: float, temperature: float = 1.0):
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {share}")
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        super().__init__(policy)
        self.nucleus = NucleusPolicy(policy, top_p)
        self.share, self.temperature = share, temperature

    def reshaped(self, logits: Tensor) -> Tensor:
        """Log-probabilities [..., V] of the mixture."""
        kept = self.nucleus.reshaped(logits / self.temperature).log_softmax(-1)
        whole = logits.log_softmax(-1)
        # A token outside has its share of the whole alone.
        return torch.logaddexp(whole + math.log(self.share), kept + self._log_rest)

    @property
    def _log_rest(self) -> float:
        return math.log(1 - self.share) if self.share < 1 else -math.inf
