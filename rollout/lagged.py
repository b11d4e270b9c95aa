"""A copy of the policy that follows it slowly and runs the rollouts.

The SeqGAN code keeps such a copy with an update rate of 0.8.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .modules import frozen_copy
from .policy import Policy

__all__ = ["LaggedPolicy"]


class LaggedPolicy:
    """Holds `policy`, a copy whose parameters are an exponential moving average.

    After each `update`: ``copy = rate * copy + (1 - rate) * current``.

    Args:
        policy: the policy to follow, an ``nn.Module``.
        rate: from 0 (the copy always equals the policy) to 1 (it never moves).

    Raises:
        ValueError: a rate outside [0, 1].
    """

    def __init__(self, policy: Policy, rate: float = 0.8):
        if not 0 <= rate <= 1:
            raise ValueError(f"the update rate must lie in [0, 1], got {rate}")
        self.rate = rate
        self._source = cast(nn.Module, policy)
        self._copy = frozen_copy(self._source)

    @property
    def policy(self) -> Policy:
        """The policy that runs the rollouts."""
        return cast(Policy, self._copy)

    @torch.no_grad()
    def update(self) -> None:
        """Moves the copy towards the policy by one step."""
        for mine, now in zip(self._copy.parameters(), self._source.parameters(), strict=True):
            mine.lerp_(now, 1 - self.rate)
        for buffer, current in zip(self._copy.buffers(), self._source.buffers(), strict=True):
            buffer.copy_(current)

    @torch.no_grad()
    def synchronise(self) -> None:
        """Makes the copy equal to the policy as it is now."""
        self._copy.load_state_dict(self._source.state_dict())

    def state_dict(self) -> dict[str, Tensor]:
        """State for a checkpoint: the copy's."""
        return self._copy.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restores it."""
        self._copy.load_state_dict(state)
