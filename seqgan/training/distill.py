"""Distillation: the player that learns a reweighted copy of the pretrained policy.

A residual energy model (Deng et al. 2020) is p(y) exp(beta f(y)) / Z: the pretrained policy p, and
what a discriminator's log-odds f say of its samples. It is sampled by drawing many of p's samples
and choosing among them. Here the policy learns it instead, by maximum likelihood on samples of p
with weights exp(beta f) (as distributional policy gradient with the proposal held fixed, Khalifa et
al. 2021), mixed with training sequences, so that what the samples lack is not forgotten. With
`refresh` the samples are the policy's own, drawn anew with new weights: psi-MLE (Song et al. 2020).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollout import Policy, Sequences, effective_sample_size, importance_weights, weighted_nll_loss

from ..config import Distill as Settings
from ..runs.state import as_state, from_state
from .players import Materials
from .processes import Part
from .sampling import MOST_SAMPLES, Judge, draw
from .updates import Updates

__all__ = ["Distillation"]


class Distillation(Updates):
    """The generator's player.

    Args:
        settings: samples, weights, batch, optimizer.
        materials: generator, pretrained policy, reward, training sequences, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        self.judge = Judge(materials)
        super().__init__(settings.optimizer, materials, judge=self.judge)
        self.settings, self.reference = settings, materials.reference
        self.source: Policy = self.reference  # of the samples
        self.stale = False  # they have to be drawn anew
        self._pool: Sequences | None = None
        self.weights: Tensor | None = None  # [N], mean 1, once the samples are drawn
        self._figures: dict[str, float] = {}  # of the samples, for the log of the first step

    @property
    def spread(self) -> float:
        """Standard deviation of the weights, whose mean is 1."""
        return 0.0 if self.weights is None else float(self.weights.double().std(unbiased=False))

    @property
    def done(self) -> bool:
        """Tells if new samples are due, and the user's functions have judged as many as they may.

        Samples that are judged once, and no more of them than the budget allows, end nothing.
        """
        return self._due and self.judge.done

    @property
    def _due(self) -> bool:
        """Tells if the next step begins with new samples, of the policy as it is."""
        refresh, number = self.settings.refresh, self.progress.number
        return bool(refresh and number and number % refresh == 0)

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime, lambda: self.done)

    def step(self) -> None:
        """One batch of samples and training sequences, and one update."""
        number = self.progress.number
        if self._due or self.stale:
            self.stale = False
            self.source, self._pool, self.weights = self.policy, None, None
        pool = self.pool()
        assert self.weights is not None
        size = self.settings.batch_size
        real = round(size * self.settings.real_share)
        rng = self.runtime.rng(self.stage, "rows", number)
        ours = torch.randint(len(self.train), (real,), generator=rng).to(self.train.device)
        theirs = torch.randint(len(pool), (size - real,), generator=rng).to(pool.device)
        batch = Sequences.concat([self.train.select(ours), pool.select(theirs)], pad_id=0)
        weights = torch.cat([self.weights.new_ones(real), self.weights[theirs]])
        part = self.runtime.processes.part(size)
        mine = batch.select(part.rows).trim(wait=False)
        self.runtime.count(batch.mask, self.learner.model)
        self.runtime.seed_dropout(self.stage, number)
        self.policy.train()
        self.learner.update(self._loss, mine, weights[part.rows], batch.mask, part)
        self.policy.eval()
        self.progress.number += 1
        shown = {"loss": self.learner.mean_loss(), **self._figures}
        self._figures = {}
        self.runtime.log_step(self.stage, self.progress.number, shown)

    def _loss(self, mine: Sequences, weights: Tensor, mask: Tensor, part: Part) -> Tensor:
        """The share of this process in the loss of a batch with a weight per sequence."""
        with self.runtime.autocast():
            log_prob = self.policy(mine).log_prob
        return part.of_tokens(weighted_nll_loss(log_prob, weights, mine.mask), mask)

    @torch.no_grad()
    def pool(self) -> Sequences:
        """The samples to learn from; their weights stand in `weights`."""
        if self._pool is None:
            refresh, processes = self.settings.refresh, self.runtime.processes
            which = [self.progress.number // refresh] if refresh else []
            rng = self.runtime.rng(self.stage, "samples", *which)
            count = self.settings.samples or min(len(self.train), MOST_SAMPLES)
            # Samples that are drawn again after a resume are as many as they were.
            count = self.judge.affordable(count, again=self.weights is not None)
            drawn = draw(self.source, count, rng, self.prompts, processes=processes)
            self._pool = drawn.sequences
            if self.weights is None:  # not drawn again
                self.weights = self._weights(self._pool)
        return self._pool

    def _weights(self, samples: Sequences) -> Tensor:
        """Weights [N] in proportion to exp(beta f), with mean 1."""
        part = self.runtime.processes.part(len(samples))
        judged = self.judge(samples, part, samples.select(part.rows))
        self.judge.end_step(self.progress.number, samples, judged)
        self._figures = {name: float(value) for name, value in judged.figures().items()}
        log_ratios = self.settings.beta * judged.scores
        effective = float(effective_sample_size(log_ratios))
        self.runtime.say(
            f"Distillation: {len(samples):,} samples, effective sample size {effective:,.0f}"
        )
        return (importance_weights(log_ratios) * len(samples)).to(torch.float32)

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        super().soften()
        # Samples of the policy are those of one that went wrong.
        self.stale = self.source is not self.reference and not self.judge.done

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the policy's weights.

        Samples of the pretrained policy are drawn again; those of the policy are kept.
        """
        kept = self._pool is not None and self.source is not self.reference
        pool = as_state(self._pool) if kept and self._pool is not None else None
        own = {"weights": self.weights, "pool": pool, "stale": self.stale}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        super().load_state_dict(state)
        weights = state["weights"]
        self.weights = None if weights is None else weights.to(self.runtime.device)
        self.stale = bool(state["stale"])
        if state["pool"] is not None:
            self.source = self.policy
            self._pool = from_state(state["pool"], self.runtime.device)
