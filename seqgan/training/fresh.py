"""Fresh samples for people to look at, from trainings that judge none of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from rollout import Reward, constrained
from rollout.modules import evaluating
from rollout.rewards import reward_values

from ..data.dataset import Dataset
from ..models import Generator
from ..rewards.terms import of_sequences
from .sampling import draw
from .showing import SampleTable

__all__ = ["FreshSamples"]


@dataclass(frozen=True)
class FreshSamples:
    """Draws some samples and shows them. Training does not notice: the random numbers are its own.

    Attributes:
        table: where they are shown.
        data: what is asked for, and the constraint.
        stage: of the log: samples, or mle-samples.
        reward: their reward; None: they have none.
    """

    table: SampleTable
    data: Dataset
    stage: str
    reward: Reward | None = None

    def __call__(self, policy: Generator, step: int) -> None:
        """Shows samples of a policy.

        Args:
            policy: the model as it is now.
            step: of its training.
        """
        runtime = self.table.runtime
        if not self.table.count or not runtime.processes.is_main:
            return
        rng = runtime.rng("fresh", self.stage, step)
        with torch.no_grad(), evaluating(policy):
            asked, prompts = constrained(policy, self.data.constraint), self.data.prompts()
            found = draw(asked, self.table.count, rng, prompts).sequences
            rewards = None
            if self.reward is not None:
                rewards = of_sequences(reward_values(self.reward, found))
        none: Mapping[str, torch.Tensor] = {}
        self.table.present(step, found, rewards, none, self.stage)
