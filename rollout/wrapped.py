"""A policy that stands in front of another one and shares its states."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .policy import Policy, Prefixes, State
from .sequences import Sequences

__all__ = ["WrappedPolicy"]


class WrappedPolicy(Policy):
    """Hands on everything but `step` and `logits`, which a subclass defines.

    Args:
        policy: the policy behind it.
    """

    def __init__(self, policy: Policy):
        self.policy = policy
        self.vocab_size, self.max_length = policy.vocab_size, policy.max_length
        self.bos_id, self.eos_id, self.pad_id = policy.bos_id, policy.eos_id, policy.pad_id

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """The state of the policy behind it."""
        return self.policy.initial_state(batch_size, condition)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states of the policy behind it."""
        return self.policy.prefix_states(sequences)

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The states of the policy behind it."""
        return self.policy.branch(prefixes, rows, positions)

    def select(self, state: State, rows: Tensor) -> State:
        """The state of `rows`."""
        return self.policy.select(state, rows)

    def concat(self, states: list[State]) -> State:
        """One state out of several."""
        return self.policy.concat(states)
