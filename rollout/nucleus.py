"""A policy restricted to its most likely tokens at each step, for sampling and for scoring.

Sampling by top-p (Holtzman et al. 2020, "nucleus") is a model of its own: at each step the tokens
outside the nucleus have probability 0 and the rest is normalised again. So its likelihood and its
entropy are exact, and samples and scores belong together, as with a temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .policy import Policy, State, TokenScores, WrappedPolicy
from .sampling import outside_nucleus
from .sequences import Sequences

__all__ = ["NucleusPolicy"]

NUMBERS = 1 << 23
"""Logits that are sorted at a time when sequences are scored: bounds the memory to some 500 MB."""


class NucleusPolicy(WrappedPolicy):
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

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V], -inf outside the nucleus, and the new state."""
        logits, state = self.policy.step(tokens, state)
        return self._kept(logits), state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V], -inf outside the nucleus."""
        return self._kept(self.policy.logits(sequences))

    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability (-inf outside the nucleus) and entropy [B, T] of every token."""
        width = sequences.tokens.shape[1] * self.vocab_size
        score = super().forward
        scores = [score(part) for part in sequences.split(max(1, NUMBERS // width))]
        return TokenScores(*(torch.cat(found) for found in zip(*scores, strict=True)))

    def _kept(self, logits: Tensor) -> Tensor:
        """Logits [..., V] with -inf outside the nucleus."""
        if self.top_p == 1:
            return logits
        probs, order = logits.softmax(-1).sort(dim=-1, descending=True)
        outside = torch.empty_like(probs, dtype=torch.bool)
        outside.scatter_(-1, order, outside_nucleus(probs, self.top_p))
        return logits.masked_fill(outside, -torch.inf)
