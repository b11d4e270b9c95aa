"""A policy with its logits divided by a temperature.

Its samples and its likelihoods belong together: a model that samples at one temperature and is
scored at another is two models.
"""

from __future__ import annotations

from torch import Tensor

from .policy import Policy, State
from .sequences import Sequences
from .wrapped import WrappedPolicy

__all__ = ["TemperedPolicy"]


class TemperedPolicy(WrappedPolicy):
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
        super().__init__(policy)
        self.temperature = temperature

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] divided by the temperature, and the new state."""
        logits, state = self.policy.step(tokens, state)
        return logits / self.temperature, state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] divided by the temperature."""
        return self.policy.logits(sequences) / self.temperature
