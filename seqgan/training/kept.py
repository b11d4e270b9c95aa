"""The best state of a training so far."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from ..runs.state import weights_for

__all__ = ["Kept"]


class Kept:
    """Copies of the weights of models, to go back to; none before the first `keep`.

    Args:
        **models: by name.
    """

    def __init__(self, **models: nn.Module):
        self.models = models
        self.states: dict[str, dict[str, Tensor]] = {}

    def keep(self) -> None:
        """Copies the weights as they are, in the place of those that were kept."""
        self.states = {
            name: copy.deepcopy(model.state_dict()) for name, model in self.models.items()
        }

    def put_back(self) -> None:
        """Puts the weights that were kept back into the models, in evaluation mode."""
        for name, weights in self.states.items():
            self.models[name].load_state_dict(weights)
            self.models[name].eval()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return self.states

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.states = {
            name: weights_for(self.models[name], weights) for name, weights in state.items()
        }
