"""Self-play: the player that is its own discriminator (DGSAN, Montahaei et al. 2020).

An optimal discriminator between the data p and samples of a policy q_old is
``D = p / (p + q_old)``. Turned round: whoever parametrises D by a density q, as
``D = q / (q + q_old)``, and trains it as a discriminator has at the optimum q = p. So the new
policy q is trained by binary cross-entropy with the logit ``log q(y) - log q_old(y)``, on training
sequences against samples of q_old; then q takes the place of q_old. Nothing flows through samples,
and there are no rewards.

Shapes: B sequences.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollout import Sequences, without_dropout
from rollout.modules import frozen_copy

from ..config.algorithms import SelfPlay as Settings
from ..data.prompts import prompts_of
from ..models import Generator
from ..models.gan_losses import binary_cross_entropy
from ..runs.state import weights_for
from .players import Materials
from .processes import Part
from .sampling import draw
from .steps import read_once
from .updates import Updates

__all__ = ["SelfPlayUpdates", "log_ratio"]


def log_ratio(policy: Generator, sequences: Sequences, old: Tensor) -> Tensor:
    """``log q(y) - log q_old(y)`` [B], with gradients for q.

    Args:
        policy: q.
        sequences: y.
        old: [B], log-probabilities of the sequences under q_old.
    """
    log_prob = policy(sequences).log_prob.sum(1)
    return log_prob.to(torch.promote_types(log_prob.dtype, torch.float32)) - old


class SelfPlayUpdates(Updates):
    """The generator's player.

    Args:
        settings: batch, steps between two former selves, optimizer.
        materials: generator, training sequences, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        super().__init__(settings.optimizer, materials)
        self.settings, self.old = settings, frozen_copy(self.policy)

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime)

    def step(self) -> None:
        """Training sequences against samples of the former self, and one update."""
        number, size, runtime = self.progress.number, self.settings.batch_size, self.runtime
        if number % self.settings.refresh == 0:
            self.old.load_state_dict(self.policy.state_dict())
        rng = runtime.rng(self.stage, number)
        rows = torch.randint(len(self.train), (size,), generator=rng)
        real = self.train.select(rows.to(self.train.device))
        theirs = draw(self.old, size, rng, prompts_of(real), processes=runtime.processes)
        part = runtime.processes.part(size)
        pairs = [each.select(part.rows) for each in (real, theirs.sequences)]
        both = Sequences.concat(pairs, pad_id=self.policy.pad_id).trim(wait=False)
        runtime.count(both.mask, self.learner.model)
        with torch.no_grad(), runtime.autocast():
            old = self.old(both).log_prob.sum(1).float()
        now = self.learner.update(self._loss, both, old, part)
        self.progress.number += 1
        figures = self._figures(now, part)
        self.progress.spread_sum += figures.pop("spread")
        runtime.log_step(
            self.stage, self.progress.number, {"loss": self.learner.mean_loss(), **figures}
        )

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        super().soften()
        # The former self is the state that was returned to.
        self.old.load_state_dict(self.policy.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the policy's weights."""
        return {**super().state_dict(), "old": self.old.trained_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        super().load_state_dict(state)
        self.old.load_state_dict(weights_for(self.old, state["old"]))

    def _loss(self, both: Sequences, old: Tensor, part: Part) -> tuple[Tensor, Tensor]:
        """The share of this process in the cross-entropy, real sequences first; the log-odds."""
        with without_dropout(self.policy), self.runtime.autocast():
            odds = log_ratio(self.policy, both, old)
        real, generated = odds.chunk(2)
        return part.of_sequences(binary_cross_entropy(real, generated)), odds.detach()

    def _figures(self, odds: Tensor, part: Part) -> dict[str, float]:
        """Figures of the step: share that is told right, and spread of the log-odds."""
        real, generated = (
            self.runtime.processes.gather(each, part) for each in odds.chunk(2)
        )  # fmt: skip
        right = ((real > 0).float().mean() + (generated <= 0).float().mean()) / 2
        spread = torch.cat([real, generated]).std(unbiased=False)
        return read_once({"accuracy": right, "spread": spread})
