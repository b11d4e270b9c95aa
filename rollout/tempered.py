"""A policy with its logits divided by a temperature.

Its samples and its likelihoods belong together: a model that samples at one temperature and is
scored at another is two models.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .policy import Policy, Prefixes, State
from .sequences import Sequences

__all__ = ["TemperedPolicy"]


class TemperedPolicy(Policy):
    """What ``policy.tempered(temperature)`` returns where a policy knows nothing faster.

    Args:
        policy: the policy behind it.
        temperature: above 0.

    Raises:
        ValueError: a temperature that is not above 0.
    """

    def __init__(self, policy: Policy, temperature: float):
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        self.policy, self.temperature = policy, temperature
        self.vocab_size, self.max_length = policy.vocab_size, policy.max_length
        self.bos_id, self.eos_id, self.pad_id = policy.bos_id, policy.eos_id, policy.pad_id

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """The state of the policy behind it."""
        return self.policy.initial_state(batch_size, condition)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] divided by the temperature, and the new state."""
        logits, state = self.policy.step(tokens, state)
        return logits / self.temperature, state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] divided by the temperature."""
        return self.policy.logits(sequences) / self.temperature

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
