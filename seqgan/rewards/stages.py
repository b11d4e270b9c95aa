"""Stages: rewards that follow one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rollout import Reward

from ..config.rewards.stages import StageConfig
from .terms import Terms

__all__ = ["Stages"]


@dataclass
class Stages:
    """The rewards of a run, one after another; the last has no end.

    Attributes:
        settings: of all stages but the last.
        rewards: of all stages.
        number: of the stage now, from 0.
        steps: taken in it.
    """

    settings: Sequence[StageConfig]
    rewards: Sequence[Reward]
    number: int = 0
    steps: int = 0

    @property
    def reward(self) -> Reward:
        """The reward now."""
        return self.rewards[self.number]

    @property
    def ended(self) -> bool:
        """Tells if all stages with an end are over."""
        return self.number == len(self.settings)

    def after(self, mean_reward: float) -> bool:
        """Counts a step; tells if the next one belongs to another stage.

        Args:
            mean_reward: of the step's samples.
        """
        self.steps += 1
        if self.ended:
            return False
        stage = self.settings[self.number]
        reached = stage.reward is not None and mean_reward >= stage.reward
        if not (reached and self.steps >= stage.least) and not 0 < stage.steps <= self.steps:
            return False
        self.number, self.steps = self.number + 1, 0
        return True

    def take_calls(self) -> int:
        """Sequences that were judged since the last call."""
        return sum(each.take_calls() for each in self.rewards if isinstance(each, Terms))

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        terms = [each.state_dict() if isinstance(each, Terms) else {} for each in self.rewards]
        return {"number": self.number, "steps": self.steps, "rewards": terms}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.number, self.steps = int(state["number"]), int(state["steps"])
        for reward, kept in zip(self.rewards, state["rewards"], strict=True):
            if isinstance(reward, Terms):
                reward.load_state_dict(kept)
