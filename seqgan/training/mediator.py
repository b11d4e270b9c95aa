"""The mediator of cooperative training, CoT (Lu et al. 2019): the player beside the generator.

The mediator M is a language model that is fitted to training sequences and samples of the policy
alike, so it nears the mixture ``(p + q) / 2``. The policy then descends ``KL(q, M)``, exactly over
the next token (`training.ratio`, with M in the place of the ensemble). At the mixture itself, held
fixed, that has the gradient of twice the Jensen-Shannon divergence. M begins with the pretrained
policy's parameters; in the paper it begins with random ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollout import Policy, Sequences, nll_loss

from ..config import CriticConfig
from ..data.prompts import prompts_of
from ..models import Generator
from ..runs.state import fields_of, set_fields
from .learner import Learner
from .processes import Part
from .runtime import Runtime
from .sampling import draw
from .updates import Stepped

__all__ = ["Mediation"]

FIELDS = ("begun",)


class Mediation(Stepped):
    """Gradient steps of the mediator.

    Args:
        model: trained in place.
        policy: whose samples it is fitted to; it changes between calls.
        train: training sequences.
        config: batch, optimizer, learning rate in the rounds: those of the discriminator.
        runtime: device, seed, log.
    """

    def __init__(
        self, model: Generator, policy: Policy, train: Sequences, config: CriticConfig,
        runtime: Runtime,
    ):  # fmt: skip
        self.config, self.runtime, self.policy = config, runtime, policy
        self.trained = self.model = model.to(runtime.device).eval()
        self.train = train.to(runtime.device)
        advice = "lower --critic.rounds_learning_rate"
        super().__init__(Learner(model, config.optimizer, runtime, "mediator", advice))
        self.begun = False

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        if not self.begun:
            self.begun = True
            self.learner.go_on_at(self.config.rounds_learning_rate)
        self.progress.stretch(count, self.step, self.runtime)
        if count:
            self.runtime.log("mediator", self.progress.number, loss=self.learner.mean_loss())

    def step(self) -> None:
        """One batch of training sequences and as many samples, and one update."""
        number, size, runtime = self.progress.number, self.config.batch_size, self.runtime
        rng = runtime.rng("mediator", number)
        rows = torch.randint(len(self.train), (size,), generator=rng)
        real = self.train.select(rows.to(self.train.device))
        drawn = draw(self.policy, size, rng, prompts_of(real), processes=runtime.processes)
        whole = Sequences.concat([real, drawn.sequences], pad_id=0).trim(wait=False)
        part = runtime.processes.part(len(whole))
        runtime.count(whole.mask, self.learner.model)
        runtime.seed_dropout("mediator", number)
        self.model.train()
        self.learner.update(self._loss, whole.select(part.rows), whole.mask, part)
        self.model.eval()
        self.progress.number += 1

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the mediator's weights."""
        return {**fields_of(self, FIELDS), **super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        super().load_state_dict(state)

    def _loss(self, mine: Sequences, mask: Tensor, part: Part) -> Tensor:
        """The share of this process in the mean NLL per token of the batch."""
        with self.runtime.autocast():
            log_prob = self.model(mine).log_prob
        return part.of_tokens(nll_loss(log_prob, mine.mask), mask)
