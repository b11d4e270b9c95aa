"""Refresh of an ensemble: the player that trains its members against samples of the policy.

A member p is as good a discriminator as a density: the log-odds that a sequence is real and not the
policy's are log p - log q. In each round every member takes some steps on the cross-entropy of real
sequences against fresh samples of the policy with these log-odds, q held fixed: noise-contrastive
estimation (Gutmann and Hyvarinen 2010) with the policy as the noise. Its optimum is the density of
the data. What the policy emits too often for the data becomes less likely under the members, and
the ratio, its reward, says so from then on. A relative: self-play fine-tuning (Chen et al. 2024).

Shapes: B sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rollout import Policy, Sequences

from ..config import EnsembleConfig
from ..config.optimizers import OptimizerConfig
from ..data.prompts import prompts_of
from ..models import Ensemble
from ..models.gan_losses import GAN_LOSSES
from ..runs.state import weights_for
from .learner import Learner
from .mle_loss import real_batch
from .processes import Part
from .runtime import Runtime
from .sampling import draw
from .steps import Steps

__all__ = ["Refresh"]

STAGE = "refresh"


class Refresh:
    """The player of the ensemble.

    Args:
        ensemble: the members, trained in place.
        policy: the policy that the reward compares with; it changes between calls.
        train: real sequences to learn from.
        batch_size: real sequences per step, and as many samples.
        config: learning rate.
        runtime: device, seed, log.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        policy: Policy,
        train: Sequences,
        batch_size: int,
        config: EnsembleConfig,
        runtime: Runtime,
    ):
        self.trained, self.policy, self.batch_size = ensemble, policy, batch_size
        self.runtime, self.train = runtime, train.to(runtime.device)
        ensemble.requires_grad_(True)
        self.learner = Learner(
            ensemble, OptimizerConfig(learning_rate=config.refresh_learning_rate), runtime,
            "the ensemble", "lower --ensemble.refresh_learning_rate",
        )  # fmt: skip
        self.progress = Steps()
        self.loss = GAN_LOSSES["minimax"].discriminator

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime)
        members: Any = self.trained.members
        loss = self.learner.mean_loss() / len(members)
        self.runtime.log(STAGE, self.progress.number, loss=loss)

    def step(self) -> None:
        """One step of all members, on real sequences and fresh samples."""
        runtime, number = self.runtime, self.progress.number
        rng = runtime.rng(STAGE, number)
        real = real_batch(self.train, self.batch_size, rng, runtime.processes)
        asked = prompts_of(real.whole)
        drawn = draw(self.policy, self.batch_size, rng, asked, processes=runtime.processes)
        pairs = [each.select(real.part.rows) for each in (real.whole, drawn.sequences)]
        for each in (real.whole, drawn.sequences):
            runtime.count(each.mask, self.learner.model)
        with torch.no_grad(), runtime.autocast():
            log_q = [self.policy(each).log_prob.sum(1) for each in pairs]
        runtime.seed_dropout(STAGE, number)
        self.trained.train()
        self.learner.update(self.loss_of(pairs, log_q, real.part))
        self.trained.eval()
        self.progress.number += 1

    def loss_of(self, pairs: Sequence[Sequences], log_q: Sequence[Tensor], part: Part) -> Tensor:
        """The share of this process in the sum of the members' losses, each a mean per sequence.

        Args:
            pairs: real sequences and samples.
            log_q: their log-likelihoods [B] under the policy.
            part: of this process.
        """
        members: Any = self.trained.members
        total: Tensor | float = 0.0
        for member in members:
            with self.runtime.autocast():
                log_p = [member(each).log_prob.sum(1) for each in pairs]
            odds = [p - q for p, q in zip(log_p, log_q, strict=True)]
            total = total + self.loss(*odds)
        assert isinstance(total, Tensor)
        return part.of_sequences(total)

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        self.learner.soften()
        self.progress.cut_short()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, with the members' weights: their folders have the first ones."""
        return {
            "progress": self.progress.state_dict(), "learner": self.learner.state_dict(),
            "members": self.trained.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.progress.load_state_dict(state["progress"])
        self.learner.load_state_dict(state["learner"])
        self.trained.load_state_dict(weights_for(self.trained, state["members"]))
