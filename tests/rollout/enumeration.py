"""Sums over all sequences of a chain: what an estimator must give in expectation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rollout import Sequences

from .chains import Chain


class Enumeration(NamedTuple):
    """All N sequences of a chain, with the gradient of every token's log-probability.

    Attributes:
        sequences: N sequences of at most T tokens.
        probs: float64 [N].
        scores: float64 [N, T, P], gradient of log pi(y_t | y_<t) by the chain's table; 0 after a
            sequence's end.
    """

    sequences: Sequences
    probs: Tensor
    scores: Tensor


def enumerate_chain(chain: Chain) -> Enumeration:
    rows: list[list[int]] = []

    def extend(row: list[int]) -> None:
        if len(row) == chain.max_length or (row and row[-1] == chain.eos_id):
            rows.append(row)
            return
        for token in range(chain.vocab_size):
            extend([*row, token])

    extend([])
    sequences = Sequences.from_lists(rows, pad_id=0)
    log_prob = chain(sequences).log_prob.double()
    scores = torch.stack([
        torch.autograd.grad(each, chain.table, retain_graph=True)[0].double().flatten()
        for each in log_prob.flatten()
    ])  # fmt: skip
    probs = log_prob.detach().sum(1).exp()
    assert abs(probs.sum() - 1) < 1e-6
    return Enumeration(sequences, probs, scores.view(*log_prob.shape, -1))


def exact_gradient(every: Enumeration, reward: Tensor) -> Tensor:
    """The gradient [P] of the expected reward [N]."""
    return (every.probs * reward) @ every.scores.sum(1)
