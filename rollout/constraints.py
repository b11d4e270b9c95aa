"""Constraints: which tokens may follow a prefix, in sampling, rollouts and likelihoods alike.

A grammar, a partial parser or any function of the prefix says what is allowed. Tokens that are not
have probability 0 and the rest is normalised again, so the constrained policy is a model of its
own: its samples, scores and gradients belong together, as with a temperature.

Shapes: B sequences, T tokens, R rows in flight, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .policy import Policy, Prefixes, State, WrappedPolicy
from .sequences import Sequences, concat_trees, select_tree

__all__ = ["ConstrainedPolicy", "Constraint", "allowed_after", "constrained"]

Constraint = Callable[[list[list[int]]], Any]
"""``constraint(prefixes) -> bool [N, V]``: the tokens that may follow each prefix of token ids. It
is called with equal prefixes once."""


def allowed_after(constraint: Constraint, prefixes: Sequence[Sequence[int]], size: int) -> Tensor:
    """The tokens that may follow each prefix.

    Args:
        constraint: the rule.
        prefixes: N lists of token ids, EOS and BOS not among them.
        size: V.

    Returns:
        bool [N, V], on the CPU.

    Raises:
        ValueError: the rule returns another shape, or allows nothing after a prefix.
    """
    distinct = list(dict.fromkeys(tuple(prefix) for prefix in prefixes))
    if not distinct:
        return torch.zeros(0, size, dtype=torch.bool)
    found = torch.as_tensor(np.asarray(constraint([list(each) for each in distinct]))) != 0
    if found.shape != (len(distinct), size):
        raise ValueError(
            f"constraint must return bool [{len(distinct)}, {size}], got {list(found.shape)}"
        )
    empty = ~found.any(1)
    if empty.any():
        prefix = list(distinct[int(empty.nonzero()[0, 0])])
        raise ValueError(f"constraint allows no token after {prefix}")
    rows = {prefix: row for row, prefix in enumerate(distinct)}
    return found[[rows[tuple(prefix)] for prefix in prefixes]]


class _Constrained(NamedTuple):
    """The state of a `ConstrainedPolicy`.

    Attributes:
        inner: of the policy behind it.
        tokens: int64 [R, L], the tokens consumed after BOS.
        consumed: int64 [R], how many were consumed, BOS counted.
    """

    inner: State
    tokens: Tensor
    consumed: Tensor


class ConstrainedPolicy(WrappedPolicy):
    """A policy that emits only what a constraint allows.

    The host reads the prefixes at every token; a rule that is a table of the last token is faster
    as `Rules` or in the model.

    Args:
        policy: the policy behind it.
        constraint: ``constraint(prefixes) -> bool [N, V]``.
    """

    def __init__(self, policy: Policy, constraint: Constraint):
        super().__init__(policy)
        self.constraint = constraint
        self.row_bytes = policy.row_bytes + 9 * self.vocab_size + 8 * self.max_length

    def initial_state(self, batch_size: int, condition: Any = None) -> _Constrained:
        """The state of the policy behind it, and nothing consumed."""
        inner = self.policy.initial_state(batch_size, condition)
        tokens = torch.zeros(batch_size, self.max_length, dtype=torch.int64)
        return _Constrained(inner, tokens, torch.zeros(batch_size, dtype=torch.int64))

    def step(self, tokens: Tensor, state: _Constrained) -> tuple[Tensor, _Constrained]:
        """Logits [R, V], -inf for what is not allowed, and the new state."""
        logits, inner = self.policy.step(tokens, state.inner)
        kept, consumed = state.tokens.clone(), state.consumed
        rows = (consumed > 0).nonzero()[:, 0]  # the first token consumed is BOS
        kept[rows, consumed[rows] - 1] = tokens.cpu()[rows]
        prefixes = [row[:n] for row, n in zip(kept.tolist(), consumed.tolist(), strict=True)]
        # Rows that have ended are drawn from too, and what they draw is not read.
        alive = [i for i, row in enumerate(prefixes) if self.eos_id not in row]
        allowed = torch.ones(logits.shape, dtype=torch.bool)
        if alive:
            some = [prefixes[i] for i in alive]
            allowed[alive] = allowed_after(self.constraint, some, self.vocab_size)
        masked = logits.masked_fill(~allowed.to(logits.device), -torch.inf)
        return masked, _Constrained(inner, kept, consumed + 1)

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V], -inf for what is not allowed."""
        logits = self.policy.logits(sequences)
        rows, lengths = sequences.tokens.tolist(), sequences.lengths.tolist()
        places = [(b, t) for b, length in enumerate(lengths) for t in range(length)]
        allowed = torch.ones(logits.shape, dtype=torch.bool)
        if places:
            prefixes = [rows[b][:t] for b, t in places]
            b, t = torch.tensor(places).unbind(1)
            allowed[b, t] = allowed_after(self.constraint, prefixes, self.vocab_size)
        return logits.masked_fill(~allowed.to(logits.device), -torch.inf)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states of the policy behind it, and the tokens."""
        return Prefixes(sequences, self.policy.prefix_states(sequences))

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> _Constrained:
        """The states after BOS and the tokens before `positions`."""
        inner = self.policy.branch(prefixes.states, rows, positions)
        tokens = prefixes.sequences.tokens[rows].cpu()
        width = self.max_length - tokens.shape[1]
        tokens = torch.nn.functional.pad(tokens, (0, width))
        return _Constrained(inner, tokens, positions.cpu() + 1)

    def select(self, state: _Constrained, rows: Tensor) -> _Constrained:
        """The state of `rows`."""
        inner = self.policy.select(state.inner, rows)
        kept = select_tree((state.tokens, state.consumed), rows)
        return _Constrained(inner, *kept)

    def concat(self, states: list[_Constrained]) -> _Constrained:
        """One state out of several."""
        inner = self.policy.concat([each.inner for each in states])
        return _Constrained(inner, *concat_trees([each[1:] for each in states]))


def constrained(policy: Policy, constraint: Constraint | None) -> Policy:
    """The policy under a constraint; the policy itself without one."""
    return policy if constraint is None else ConstrainedPolicy(policy, constraint)
