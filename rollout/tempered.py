"""A policy with its logits divided by a temperature.

Its samples and its likelihoods belong together: a model that samples at one temperature and is
scored at another is two models.
"""

from __future__ import annotations

from torch import Tensor

from .policy import Policy, State
from .sampling import tempered
from .sequences import Sequences
from .wrapped import WrappedPolicy

__all__ = ["TemperedPolicy"]


class TemperedPolicy(WrappedPolicy):
    """The policy that ``policy.tempered(temperature)`` returns unless it has a faster one.

    Args:
        policy: the policy behind it.
        temperature: above 0 and finite.

    Raises:
        ValueError: a temperature that is not above 0, or infinite.
    """

    def __init__(self, policy: Policy, temperature: float):
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        super().__init__(policy)
        self.temperature = temperature

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] divided by the temperature, and the new state."""
        logits, state = self.policy.step(tokens, state)
        return self._divided(logits), state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] divided by the temperature."""
        return self._divided(self.policy.logits(sequences))

    def _divided(self, logits: Tensor) -> Tensor:
        """Logits divided by the temperature, up to a constant of each row."""
        if 2.0**-20 <= self.temperature <= 2.0**20:
            return logits / self.temperature
        return tempered(logits, self.temperature)
