"""A policy under rules that look at what a sequence holds so far.

Forbidden tokens, a penalty for tokens that came before, and a least length make a model of their
own: its samples, likelihoods and entropies are exact, as with a temperature. The rules stand in
front of the policy, so the sampling loop knows nothing of them.

Shapes: B sequences, R rows in flight, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .completion import policy_device
from .policy import Policy, Prefixes, State, WrappedPolicy
from .sequences import Sequences, concat_trees, select_tree

__all__ = ["RuledPolicy", "Rules"]


@dataclass(frozen=True)
class Rules:
    """Rules on the tokens of a sequence; by default none.

    Attributes:
        forbidden: ids that are never emitted.
        repetition_penalty: logits of tokens that the sequence holds already, its prefix counted,
            are divided by it if positive and multiplied by it if negative (Keskar et al. 2019,
            section 4.1); 1: no penalty, below 1: repetition is favoured.
        min_length: tokens, the prefix counted, before EOS may be emitted.
        max_length: tokens at most, prefix and EOS counted; None: as many as the policy emits.

    Raises:
        ValueError: a penalty that is not above 0, or lengths that leave no sequence.
    """

    forbidden: Sequence[int] = ()
    repetition_penalty: float = 1.0
    min_length: int = 0
    max_length: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.repetition_penalty < float("inf"):
            raise ValueError(
                f"repetition_penalty must be above 0 and finite, got {self.repetition_penalty}"
            )
        if self.min_length < 0 or (self.max_length is not None and self.max_length < 1):
            raise ValueError(
                f"min_length must be 0 or more and max_length 1 or more, "
                f"got {self.min_length} and {self.max_length}"
            )
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length ({self.min_length}) is above max_length ({self.max_length})"
            )


class _Ruled(NamedTuple):
    """The state of a `RuledPolicy`.

    Attributes:
        inner: of the policy behind it.
        consumed: int64 [R], tokens consumed so far, BOS counted.
        seen: bool [R, V], the tokens consumed after BOS; None where no rule asks for them.
    """

    inner: State
    consumed: Tensor
    seen: Tensor | None


class RuledPolicy(WrappedPolicy):
    """A policy under rules.

    Args:
        policy: the policy behind it.
        rules: what is allowed.

    Raises:
        ValueError: the rules forbid every token, or want sequences longer than the policy's.
    """

    def __init__(self, policy: Policy, rules: Rules):
        super().__init__(policy)
        self.rules = rules
        if rules.max_length is not None:
            self.max_length = min(self.max_length, rules.max_length)
        if rules.min_length > self.max_length:
            raise ValueError(
                f"min_length ({rules.min_length}) is above the policy's longest sequence, "
                f"{self.max_length} tokens"
            )
        self.penalised = rules.repetition_penalty != 1.0
        self.row_bytes = policy.row_bytes + self.vocab_size * self.penalised + 8
        self._forbidden = torch.zeros(self.vocab_size, dtype=torch.bool)
        self._forbidden[list(rules.forbidden)] = True
        rest = set(range(self.vocab_size)) - set(rules.forbidden)
        if not rest or (rules.min_length and rest == {self.eos_id}):
            raise ValueError("the rules forbid every token")

    def initial_state(self, batch_size: int, condition: Any = None) -> _Ruled:
        """The state of the policy behind it, and nothing consumed."""
        inner, device = self.policy.initial_state(batch_size, condition), policy_device(self)
        consumed, seen = torch.zeros(batch_size, dtype=torch.int64, device=device), None
        if self.penalised:
            seen = torch.zeros(batch_size, self.vocab_size, dtype=torch.bool, device=device)
        return _Ruled(inner, consumed, seen)

    def step(self, tokens: Tensor, state: _Ruled) -> tuple[Tensor, _Ruled]:
        """Logits [R, V] under the rules, and the new state."""
        logits, inner = self.policy.step(tokens, state.inner)
        consumed, seen = state.consumed.to(tokens.device), state.seen
        if seen is not None:
            # Before BOS is consumed nothing was, and BOS is no token of the sequence.
            places = tokens.clamp(max=self.vocab_size - 1)[:, None]
            came = torch.zeros_like(seen, device=tokens.device).scatter_(1, places, True)
            seen = seen.to(tokens.device) | (came & (consumed > 0)[:, None])
            penalty = self.rules.repetition_penalty
            weighed = torch.where(logits > 0, logits / penalty, logits * penalty)
            logits = torch.where(seen, weighed, logits)
        if self.rules.forbidden:
            self._forbidden = self._forbidden.to(logits.device)  # copied at the first step alone
            logits = logits.masked_fill(self._forbidden, -torch.inf)
        if self.rules.min_length and self.eos_id is not None:
            ends = torch.arange(self.vocab_size, device=logits.device) == self.eos_id
            early = consumed < self.rules.min_length  # BOS is not yet counted here
            logits = logits.masked_fill(early[:, None] & ends, -torch.inf)
        return logits, _Ruled(inner, consumed + 1, seen)

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] under the rules, token by token."""
        return Policy.logits(self, sequences)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states before every token."""
        return Policy.prefix_states(self, sequences)

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The states from which rows go on."""
        return Policy.branch(self, prefixes, rows, positions)

    def select(self, state: _Ruled, rows: Tensor) -> _Ruled:
        """The state of `rows`."""
        inner = self.policy.select(state.inner, rows)
        return _Ruled(inner, *select_tree(tuple(state[1:]), rows))

    def concat(self, states: list[_Ruled]) -> _Ruled:
        """One state out of several."""
        inner = self.policy.concat([each.inner for each in states])
        return _Ruled(inner, *concat_trees([tuple(each[1:]) for each in states]))
