"""Policy gradient: the player that is SeqGAN (Yu et al. 2017, algorithm 1, lines 5 to 9).

A step samples a batch from the policy, gives every token the value that Monte Carlo rollouts and
the reward find for it, subtracts a baseline, and takes a gradient step. What differs from the paper
is a setting: the reward's form (log-odds instead of P(real)), the baseline (the paper has none), an
anchor to the pretrained policy. With ``--method seqgan`` they are the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import rollout
from rollout import (
    TRANSFORMS,
    LaggedPolicy,
    Sequences,
    TokenScores,
    action_values,
    advantages,
    clipped_surrogate_loss,
    entropy_bonus,
    kl_to_reference,
    make_baseline,
    nll_loss,
    reinforce_loss,
    without_dropout,
)

from ..config import PolicyGradient as Settings
from ..data.prompts import Grouped
from ..errors import RewardError
from ..rewards.terms import Terms, mean_and_spread
from ..runs.state import fields_of, set_fields
from .learner import Learner
from .players import Materials
from .processes import Part
from .sampling import draw

__all__ = ["PolicyBatch", "PolicyGradient", "policy_loss"]


@dataclass(frozen=True)
class PolicyBatch:
    """Samples with what the update needs to know of them.

    Attributes:
        whole: all samples of the batch.
        part: the rows of them that this process works on; what follows is of these alone.
        mine: the samples.
        chosen: bool [B, T], the tokens of the whole batch that the policy chose itself.
        advantage: [rows, T].
        old: their scores under the policy that sampled them.
        reference: their scores under the pretrained policy, if a KL weight asks for them.
    """

    whole: Sequences
    part: Part
    mine: Sequences
    chosen: Tensor
    advantage: Tensor
    old: TokenScores
    reference: TokenScores | None


class PolicyGradient:
    """The generator's player.

    Args:
        settings: batch, rollouts, baseline, loss, optimizer.
        materials: generator, reward, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        self.settings, self.runtime = settings, materials.runtime
        self.trained = self.policy = materials.generator.to(self.runtime.device).eval()
        self.reference, self.reward = materials.reference, materials.reward
        self.stage, self.prompts = materials.stage, materials.prompts
        self.train = materials.train.to(self.runtime.device)
        if settings.group_size > 1:
            self.prompts = Grouped(self.prompts, settings.group_size)
        self.learner = Learner(
            self.policy, settings.optimizer, self.runtime, self.stage,
            "lower --algorithm.optimizer.learning_rate or raise --algorithm.kl_weight",
        )  # fmt: skip
        self.transform = TRANSFORMS[settings.transform]
        self.baseline = make_baseline(settings.baseline)
        self.lagged: LaggedPolicy | None = None
        if settings.rollout_update_rate > 0:
            self.lagged = LaggedPolicy(self.policy, settings.rollout_update_rate)
        self.table, self.budget, self.calls = materials.table, materials.calls, 0
        self.step_number, self.until = 0, -1
        self.spread_sum = 0.0
        self.chunk_size = 0  # of the rollouts, if memory was once too small; 0: the default

    @property
    def spread(self) -> float:
        """Standard deviation of a step's advantages over its tokens, mean of the steps so far."""
        return self.spread_sum / max(1, self.step_number)

    @property
    def done(self) -> bool:
        """Tells if the user's functions have judged as many sequences as they may."""
        return 0 < self.budget <= self.calls

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        if self.until < 0:
            self.until = self.step_number + count
        while self.step_number < self.until:
            self.step()
            self.runtime.pause()
        if self.lagged is not None:
            self.lagged.update()
        self.until = -1

    def step(self) -> None:
        """One batch of samples, and the updates it serves."""
        self.policy.eval()  # the policy that acts is the one that is updated: no dropout
        try:
            batch, figures = self._batch()
        except rollout.RewardError as error:
            raise RewardError(f"the reward: {error}{self.runtime.saved_before()}") from error
        for _ in range(self.settings.updates if self.settings.loss == "clipped" else 1):
            self.runtime.count(batch.chosen)
            with without_dropout(self.policy), self.runtime.autocast():
                scores = self.policy(batch.mine)
                real = self._mle() if self.settings.mle_weight else 0.0
            own = policy_loss(scores, batch, self.settings)
            self.learner.update(own + self.settings.mle_weight * real)
        self.step_number += 1
        loss = self.learner.mean_loss()
        self.spread_sum += float(figures["spread"])  # of a step whose loss was finite
        shown = {name: float(value) for name, value in figures.items() if name != "spread"}
        self.runtime.log_step(self.stage, self.step_number, {"loss": loss, **shown})

    def values(self, sequences: Sequences, part: Part, rng: torch.Generator) -> Tensor:
        """The action value of every token [rows, T] of this process's part of the batch."""
        settings = self.settings
        positions = range(0, sequences.tokens.shape[1], settings.positions)
        return action_values(
            self.policy if self.lagged is None else self.lagged.policy,
            sequences,
            self.reward,
            max(1, settings.rollouts),
            rng=rng,
            # Without rollouts no column is estimated: each token has the final reward.
            positions=positions if settings.rollouts else [],
            stratified=settings.stratified,
            chunk_size=self.chunk_size or None,
            on_smaller_chunks=self._smaller_chunks,
            row_offset=part.first,
        )

    def soften(self) -> None:
        """Halves the learning rate, clears the moments, and puts the lagging copy in step."""
        self.learner.soften()
        self.until = -1
        if self.lagged is not None:
            self.lagged.synchronise()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the policy's weights."""
        return {
            **fields_of(self, FIELDS),
            "learner": self.learner.state_dict(),
            "lagged": None if self.lagged is None else self.lagged.state_dict(),
            "baseline": self.baseline.state_dict(),
            "reward": self.reward.state_dict() if isinstance(self.reward, Terms) else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        self.learner.load_state_dict(state["learner"])
        if self.lagged is not None:
            self.lagged.load_state_dict(state["lagged"])
        self.baseline.load_state_dict(state["baseline"])
        if isinstance(self.reward, Terms):
            self.reward.load_state_dict(state["reward"])

    @torch.no_grad()
    def _batch(self) -> tuple[PolicyBatch, dict[str, Tensor]]:
        """Samples with their advantages, and the figures of the step for the log."""
        processes, settings = self.runtime.processes, self.settings
        rng = self.runtime.rng(self.stage, self.step_number)
        drawn = draw(self.policy, settings.batch_size, rng, self.prompts, processes=processes)
        whole, groups = drawn.sequences.trim(wait=False), drawn.prompt.groups
        chosen = drawn.chosen[:, : whole.tokens.shape[1]]
        each = self.reward.begin(whole) if isinstance(self.reward, Terms) else {}
        part = processes.part(len(whole))
        mine = whole.select(part.rows)
        values = processes.gather(self.values(mine, part, rng), part)
        transformed = self.transform(values, chosen, groups)
        advantage = advantages(transformed, chosen, self.baseline, groups=groups)
        with self.runtime.autocast():  # the same numbers as in the update
            old = self.policy(mine)
            reference = self.reference(mine) if settings.kl_weight else None
        batch = PolicyBatch(whole, part, mine, chosen, advantage[part.rows], old, reference)
        reward = values.gather(1, (whole.lengths - 1)[:, None])[:, 0]
        figures = {
            "mean_reward": reward.mean(),
            "entropy": self._entropy(batch),
            "spread": _spread(advantage, chosen),
        }
        for name, found in each.items():
            mean, spread = mean_and_spread(found)
            figures |= {f"reward_{name}": mean, f"reward_{name}_sd": spread}
        if self.table is not None:
            self.table.show(self.step_number + 1, whole, reward, each)
        self._count_calls()
        return batch, figures

    def _count_calls(self) -> None:
        """Adds the calls of this step, in all processes, to those before."""
        if self.budget and isinstance(self.reward, Terms):
            calls = torch.tensor(float(self.reward.take_calls()), device=self.runtime.device)
            self.runtime.processes.add_up(calls)
            self.calls += int(calls)

    def _mle(self) -> Tensor:
        """The share of this process in the NLL per token of a batch of real sequences."""
        rng = self.runtime.rng(self.stage, "real", self.learner.step)
        rows = torch.randint(len(self.train), (self.settings.batch_size,), generator=rng)
        real = self.train.select(rows.to(self.train.device))
        part = self.runtime.processes.part(len(real))
        mine = real.select(part.rows).trim(wait=False)
        return part.of_tokens(nll_loss(self.policy(mine).log_prob, mine.mask), real.mask)

    def _entropy(self, batch: PolicyBatch) -> Tensor:
        """Entropy of the policy that sampled the batch, in nats per token."""
        mean = entropy_bonus(batch.old.entropy, batch.chosen[batch.part.rows])
        entropy = -batch.part.of_tokens(mean, batch.chosen)
        self.runtime.processes.add_up(entropy)
        return entropy

    def _smaller_chunks(self, chunk_size: int) -> None:
        """Keeps a chunk size that memory was enough for, for the rollouts to come."""
        if not self.chunk_size:
            self.runtime.say(
                f"warning: out of memory in the rollouts; continuing with {chunk_size} at once, or "
                "fewer; a smaller --algorithm.batch_size or fewer --algorithm.rollouts need less "
                "memory too"
            )
        self.chunk_size = chunk_size


FIELDS = ("step_number", "until", "spread_sum", "chunk_size", "calls")


def policy_loss(scores: TokenScores, batch: PolicyBatch, settings: Settings) -> Tensor:
    """The share of this process in the loss of the batch.

    Args:
        scores: of ``batch.mine`` under the policy that is trained.
        batch: the samples.
        settings: which loss, and the weights of what is added to it.
    """
    part, mask = batch.part, batch.chosen[batch.part.rows]
    if settings.loss == "clipped":
        loss = clipped_surrogate_loss(
            scores.log_prob, batch.old.log_prob, batch.advantage, mask, settings.clip
        )
    else:
        loss = reinforce_loss(scores.log_prob, batch.advantage, mask)
    loss = part.of_sequences(loss)
    if settings.entropy_weight:
        bonus = part.of_tokens(entropy_bonus(scores.entropy, mask), batch.chosen)
        loss = loss + settings.entropy_weight * bonus
    if batch.reference is not None:
        kl = part.of_sequences(kl_to_reference(scores.log_prob, batch.reference.log_prob, mask))
        loss = loss + settings.kl_weight * kl
    return loss


def _spread(advantage: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation of the advantages [B, T] over the tokens of the mask [B, T]."""
    # The mask is multiplied in: taking its tokens out would make the host wait.
    weights = mask.to(advantage.dtype)
    count = weights.sum().clamp(min=1)
    mean = (advantage * weights).sum() / count
    return (((advantage - mean) * weights) ** 2).sum().div(count).sqrt()
