"""Likelihood: the player that goes on with weighted maximum likelihood on training sequences.

Two methods of the family are that and nothing else.

*Scheduled sampling* (Bengio et al. 2015): a share of the inputs are the model's own tokens, which
rises from 0; the targets stay the real ones.

*JSDGAN* (Li et al. 2019): the policy's density p(x) is known, and that of the data is the empirical
one, 1 / N for each of N training sequences, so the optimal discriminator is known too,
``D(x) = (1 / N) / (1 / N + p(x))``, and none is trained. The gradient of the Jensen-Shannon
divergence is ``1/2 sum over training x of p(x) log(p(x) / (p(x) + 1 / N)) grad log p(x)``: maximum
likelihood with the weights ``w(x) = -p(x) log(1 - D(x))``.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rollout import Sequences, weighted_nll_loss

from ..config.algorithms import Likelihood as Settings
from .mle_loss import own_inputs
from .players import Materials
from .processes import Part
from .steps import read_once
from .updates import Updates

__all__ = ["LikelihoodUpdates", "jensen_shannon_weights"]


def jensen_shannon_weights(log_prob: Tensor, count: int) -> Tensor:
    """``-p log(p / (p + 1 / N))`` of training sequences, divided by its mean over the batch.

    The weight of a sequence that the policy finds far less likely than 1 / N goes to 0 with its
    probability. For sequences of many nats all weights would be 0; divided by their mean they keep
    their ratios, and the batch has the size of an MLE step.

    Args:
        log_prob: [B], log-probabilities of whole sequences.
        count: N, training sequences.

    Returns:
        [B], with mean 1, without gradient.
    """
    own = log_prob.detach().double()
    surplus = softplus(-own - math.log(count))  # log(1 + 1 / (N p)) = -log(1 - D)
    logs = own + surplus.clamp(min=1e-300).log()
    return (logs.softmax(0) * len(logs)).to(log_prob.dtype)


class LikelihoodUpdates(Updates):
    """The generator's player.

    Args:
        settings: weights, share of own inputs, batch, optimizer.
        materials: generator, training sequences, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        super().__init__(settings.optimizer, materials)
        self.settings = settings

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime)

    def step(self) -> None:
        """One batch of training sequences and one update."""
        number, size = self.progress.number, self.settings.batch_size
        rows = torch.randint(
            len(self.train), (size,), generator=self.runtime.rng(self.stage, "rows", number)
        )
        batch = self.train.select(rows.to(self.train.device)).trim(wait=False)
        part = self.runtime.processes.part(size)
        mine = batch.select(part.rows)
        weights = self._weights(mine, part)
        self.runtime.count(batch.mask, self.learner.model)
        self.runtime.seed_dropout(self.stage, number)
        self.policy.train()
        mine = self.policy.asked(mine)  # own inputs and predictions go by the same noise
        inputs = self._inputs(mine, part, batch.tokens.shape[1])
        self.learner.update(self._loss, mine, inputs, weights[part.rows], batch.mask, part)
        self.policy.eval()
        self.progress.number += 1
        mean = self.learner.mean_loss()
        effective = weights.sum() ** 2 / weights.square().sum()
        spread = weights.double().std(unbiased=False)
        shown = read_once({"effective": effective, "spread": spread})
        self.progress.spread_sum += shown.pop("spread")
        self.runtime.log_step(self.stage, self.progress.number, {"loss": mean, **shown})

    @torch.no_grad()
    def _weights(self, mine: Sequences, part: Part) -> Tensor:
        """The weights [B] of the whole batch, by the policy without dropout."""
        if self.settings.weights == "none":
            return torch.ones(part.total, device=mine.device)
        with self.runtime.autocast():
            log_prob = self.policy(mine).log_prob.sum(1)
        whole = self.runtime.processes.gather(log_prob.float(), part)
        return jensen_shannon_weights(whole, len(self.train))

    def _inputs(self, mine: Sequences, part: Part, width: int) -> Sequences:
        """The sequences that the policy reads while it predicts the real tokens."""
        risen = min(1.0, self.progress.number / self.settings.scheduled_sampling_steps)
        share = self.settings.scheduled_sampling * risen
        if not share:
            return mine
        rng = self.runtime.rng(self.stage, "inputs", self.progress.number)
        numbers = torch.rand(2, part.total, width, generator=rng)
        with self.runtime.autocast():
            return own_inputs(self.policy, mine, share, *numbers[:, part.rows])

    def _loss(
        self, mine: Sequences, inputs: Sequences, weights: Tensor, mask: Tensor, part: Part
    ) -> Tensor:
        """The share of this process in the loss of a batch with a weight per sequence."""
        with self.runtime.autocast():
            features = self.policy.features(inputs)
            log_prob = self.policy.head.scores(features, mine).log_prob
        return part.of_tokens(weighted_nll_loss(log_prob, weights, mine.mask), mask)
