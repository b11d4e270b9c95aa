"""Weights of what is added to the policy's loss: fixed, or following a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rollout import AdaptiveEntropy, AdaptiveKL

from ..config import PolicyGradient as Settings

__all__ = ["LossWeights"]


class LossWeights:
    """Weights of the entropy bonus and of the KL penalty.

    Args:
        settings: weights, and targets if they are to follow one.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self._entropy: AdaptiveEntropy | None = None
        self._kl: AdaptiveKL | None = None
        if settings.entropy_target is not None:
            start = settings.entropy_weight or 0.01
            self._entropy = AdaptiveEntropy(settings.entropy_target, start)
        if settings.kl_target is not None:
            self._kl = AdaptiveKL(settings.kl_target, settings.kl_weight or 0.1)

    @property
    def entropy(self) -> float | Tensor:
        """Weight of the mean entropy per token."""
        return self.settings.entropy_weight if self._entropy is None else self._entropy.coefficient

    @property
    def kl(self) -> float | Tensor:
        """Weight of the divergence per sequence."""
        return self.settings.kl_weight if self._kl is None else self._kl.coefficient

    @property
    def needs_reference(self) -> bool:
        """Tells if the loss needs scores under the pretrained policy."""
        return bool(self.settings.kl_weight or self._kl or self.settings.loss == "augmented")

    def figures(self) -> dict[str, Tensor]:
        """The weights that follow a target, for the log of a step."""
        found = {}
        if self._entropy is not None:
            found["entropy_weight"] = self._entropy.coefficient
        if self._kl is not None:
            found["kl_weight"] = self._kl.coefficient
        return found

    def update(self, figures: Mapping[str, Tensor]) -> None:
        """Follows the targets after a step whose loss was finite.

        Args:
            figures: of the step: "entropy" per token and "kl" per sequence, in nats.
        """
        if self._entropy is not None:
            self._entropy.update(figures["entropy"])
        if self._kl is not None:
            self._kl.update(figures["kl"])

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        parts = {"entropy": self._entropy, "kl": self._kl}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        if self._entropy is not None:
            self._entropy.load_state_dict(state["entropy"])
        if self._kl is not None:
            self._kl.load_state_dict(state["kl"])
