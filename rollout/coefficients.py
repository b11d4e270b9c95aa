"""Weights of a loss's terms that follow a target: for the entropy bonus and for the KL penalty.

Both are a number that is multiplied by a small factor after each step. They stay tensors on the
device of what they were shown, so that no step waits for a value to be read.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["AdaptiveEntropy", "AdaptiveKL"]


class AdaptiveEntropy:
    """Coefficient of the entropy bonus that steers towards a target entropy.

    ``log c <- log c + rate * (target - entropy)``: the gradient step on the dual variable of
    "entropy at least target" (Haarnoja et al. 2018, "Soft actor-critic algorithms and
    applications", equation 18), taken in the logarithm, so that c stays positive.

    Args:
        target: entropy in nats per token.
        coefficient: where c starts; above 0.
        rate: change of log c per step and nat.

    Raises:
        ValueError: a coefficient or rate that is not above 0, or a target that is not finite.
    """

    def __init__(self, target: float, coefficient: float = 0.01, rate: float = 0.01):
        _positive(coefficient=coefficient, rate=rate)
        if not abs(target) < float("inf"):
            raise ValueError(f"target must be finite, got {target}")
        self.target, self.rate = target, rate
        self.coefficient = torch.tensor(float(coefficient))

    def update(self, entropy: Tensor) -> None:
        """Adapts the coefficient to the mean entropy of a step, in nats per token."""
        behind = self.target - entropy.detach()
        self.coefficient = self.coefficient.to(behind.device) * torch.exp(self.rate * behind)

    def state_dict(self) -> dict[str, float]:
        """State for a checkpoint."""
        return {"coefficient": float(self.coefficient)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restores it."""
        self.coefficient = torch.tensor(state["coefficient"])


class AdaptiveKL:
    """Coefficient of the KL penalty that steers towards a target divergence.

    ``e = clamp(kl / target - 1, -0.2, 0.2)``, then ``c <- c (1 + rate * e)`` (Ziegler et al. 2019,
    "Fine-tuning language models from human preferences", section 2.2).

    Args:
        target: KL to the reference in nats per sequence; above 0.
        coefficient: where c starts; above 0.
        rate: the paper's K, 0.1.

    Raises:
        ValueError: an argument that is not above 0.
    """

    limit = 0.2
    """Largest relative error that counts."""

    def __init__(self, target: float, coefficient: float = 0.1, rate: float = 0.1):
        _positive(target=target, coefficient=coefficient, rate=rate)
        self.target, self.rate = target, rate
        self.coefficient = torch.tensor(float(coefficient))

    def update(self, kl: Tensor) -> None:
        """Adapts the coefficient to the mean KL of a step, in nats per sequence."""
        error = (kl.detach() / self.target - 1).clamp(-self.limit, self.limit)
        self.coefficient = self.coefficient.to(error.device) * (1 + self.rate * error)

    def state_dict(self) -> dict[str, float]:
        """State for a checkpoint."""
        return {"coefficient": float(self.coefficient)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restores it."""
        self.coefficient = torch.tensor(state["coefficient"])


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be above 0 and finite, got {value}")
