"""An exploration policy that learns which samples the policy gains most by (MetaEx-GAN).

The explorer q_e draws the batch that the policy q learns from, off its own distribution, with
importance weights. What q gains by the update, as the mean reward of its own samples tells, is the
reward of the whole batch for q_e, which takes a step of REINFORCE on it (Xu et al. 2018, "Learning
to explore with meta-policy gradient", equation 6; Chuang et al. 2023, MetaEx-GAN):

    gain = E_q'[r] - E_q[r]        q_e: - (gain - level) mean over the batch of log q_e(y)

The gradient is of the first order: the gain is a number, and the update of q is not differentiated.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rollout import Constraint, Policy, constrained, reinforce_loss, without_dropout
from rollout.modules import own_copy

from ..config import OptimizerConfig
from ..models import Generator
from ..runs.state import weights_for
from .learner import Learner
from .policy_loss import PolicyBatch
from .runtime import Runtime

__all__ = ["Explorer"]

MEMORY = 0.9
"""Share that the mean of earlier gains keeps of itself at each step."""


class Explorer:
    """A second policy, begun from the first, and its learning.

    Args:
        policy: the policy that learns from the samples.
        optimizer: its settings.
        rate: learning rate of the explorer.
        runtime: device, seed.
        stage: name of the training.
        constraint: of the samples.

    Attributes:
        acting: the policy that draws the samples.
        level: mean of the gains so far, which a gain is compared with; 0 at first.
    """

    def __init__(
        self,
        policy: Generator,
        optimizer: OptimizerConfig,
        rate: float,
        runtime: Runtime,
        stage: str,
        constraint: Constraint | None,
    ):
        self.policy = own_copy(policy).requires_grad_(True).to(runtime.device).eval()
        self.runtime, self.constraint = runtime, constraint
        self.acting: Policy = constrained(self.policy, constraint)
        self.learner = Learner(
            self.policy, replace(optimizer, learning_rate=rate), runtime, f"{stage} (explorer)",
            "lower --algorithm.explorer_rate",
        )  # fmt: skip
        self.level, self.count = torch.zeros((), device=runtime.device), 0

    def learn(self, batch: PolicyBatch, gain: Tensor) -> None:
        """One step of REINFORCE on the gain that a batch of its samples has brought.

        Args:
            batch: the samples.
            gain: rise of the policy's mean reward.
        """
        self.learner.update(self._loss, batch, gain - self.level)
        # The first gains are not drowned in a mean that begins at 0.
        share = min(MEMORY, self.count / (self.count + 1))
        self.level, self.count = share * self.level + (1 - share) * gain, self.count + 1

    def _loss(self, batch: PolicyBatch, advantage: Tensor) -> Tensor:
        """The share of this process in the loss."""
        mask = batch.chosen[batch.part.rows]
        with without_dropout(self.policy), self.runtime.autocast():
            log_prob = self.acting(batch.mine).log_prob
            loss = reinforce_loss(log_prob, advantage.expand(mask.shape), mask)
        return batch.part.of_sequences(loss)

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        self.learner.soften()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "level": self.level, "count": self.count, "policy": self.policy.state_dict(),
            "learner": self.learner.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.level, self.count = state["level"].to(self.level), int(state["count"])
        self.policy.load_state_dict(weights_for(self.policy, state["policy"]))
        self.learner.load_state_dict(state["learner"])
