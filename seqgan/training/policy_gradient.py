"""Policy gradient: the player that is SeqGAN (Yu et al. 2017, algorithm 1, lines 5 to 9).

A step samples a batch from the policy, gives every token the value that Monte Carlo rollouts and
the reward find for it, subtracts a baseline, and takes a gradient step. What differs from the paper
is a setting: the reward's form (log-odds instead of P(real)), the baseline (the paper has none), an
anchor to the pretrained policy. With ``--method seqgan`` they are the paper's.

Other methods are settings too. Without rollouts every token has the reward of its sequence:
REINFORCE, RLOO (baseline leave_one_out), GRPO (transform group_standardise, loss clipped), PPO
(baseline value: a value head), REINVENT (loss augmented, with a memory of the best).

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import rollout
from rollout import (
    TRANSFORMS,
    LaggedPolicy,
    Sequences,
    action_values,
    advantages,
    entropy_bonus,
    kl_to_reference,
    make_baseline,
    nll_loss,
    without_dropout,
)
from rollout.rewards import judges_tokens, reward_values

from ..config import PolicyGradient as Settings
from ..data.prompts import Grouped
from ..errors import RewardError
from ..rewards.stages import Stages
from ..rewards.terms import Terms, at_the_end, mean_and_spread
from ..runs.state import Stateful, fields_of, set_fields
from .learner import Learner
from .players import Materials
from .policy_loss import PolicyBatch, Replayed, policy_loss, replay_loss, reuses
from .processes import Part
from .replay import DiversityFilter, Replay
from .sampling import draw
from .steps import Steps
from .value_head import ValueHead
from .weights import LossWeights

__all__ = ["PolicyGradient"]

FIELDS = ("spread_sum", "chunk_size", "calls")


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
        self.transform = TRANSFORMS[settings.transform]
        self.table, self.budget, self.calls = materials.table, materials.calls, 0
        self.progress = Steps()
        self.spread_sum = 0.0
        self.chunk_size = 0  # of the rollouts, if memory was once too small; 0: the default
        self.learner = Learner(
            self.policy, settings.optimizer, self.runtime, self.stage,
            "lower --algorithm.optimizer.learning_rate or raise --algorithm.kl_weight",
        )  # fmt: skip
        self.weights = LossWeights(settings)
        has_values, device = settings.baseline == "value", self.runtime.device
        self.baseline = make_baseline("none" if has_values else settings.baseline)
        self.lagged: LaggedPolicy | None = None
        if settings.rollout_update_rate > 0:
            self.lagged = LaggedPolicy(self.policy, settings.rollout_update_rate)
        self.value_head: ValueHead | None = None
        if has_values:
            self.value_head = ValueHead(settings.value, self.policy, self.runtime, self.stage)
        self.replay: Replay | None = None
        if settings.replay.size:
            self.replay = Replay(settings.replay, self.policy.pad_id, device)
        self.filter: DiversityFilter | None = None
        if settings.diversity.filter != "none":
            self.filter = DiversityFilter(settings.diversity, materials.codec)
        self.stages = materials.stages

    @property
    def spread(self) -> float:
        """Standard deviation of a step's advantages over its tokens, mean of the steps so far."""
        return self.spread_sum / max(1, self.progress.number)

    @property
    def done(self) -> bool:
        """Tells if the user's functions have judged as many sequences as they may."""
        return 0 < self.budget <= self.calls

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime)
        if self.lagged is not None:
            self.lagged.update()

    def step(self) -> None:
        """One batch of samples, and the updates it serves."""
        self.policy.eval()  # the policy that acts is the one that is updated: no dropout
        try:
            batch, figures = self._batch()
        except rollout.RewardError as error:
            raise RewardError(f"the reward: {error}{self.runtime.saved_before()}") from error
        mean_reward, again = figures["mean_reward"], self._replayed()
        for _ in range(self.settings.updates if reuses(self.settings) else 1):
            self.runtime.count(batch.chosen)
            self.learner.update(self._loss, batch, mean_reward, again, self._real())
        self.progress.number += 1
        loss_mean = self.learner.mean_loss()
        self.weights.update(figures)
        self.spread_sum += float(figures.pop("spread"))  # of a step whose loss was finite
        shown = {name: float(value) for name, value in figures.items()}
        if self.stages is not None and self.stages.after(shown["mean_reward"]):
            self.reward = self.stages.reward
            if self.replay is not None:
                self.replay.forget()
            number = self.stages.number + 1
            self.runtime.say(f"Step {self.progress.number}: stage {number} of the reward begins")
        self.runtime.log_step(self.stage, self.progress.number, {"loss": loss_mean, **shown})

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
            graphs=self.learner.graphs,
        )

    def soften(self) -> None:
        """Halves the learning rate, clears the moments, and puts the lagging copy in step."""
        self.learner.soften()
        self.progress.cut_short()
        if self.lagged is not None:
            self.lagged.synchronise()
        if self.value_head is not None:
            self.value_head.soften()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the policy's weights."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**fields_of(self, FIELDS), **parts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        if self.stages is not None:
            self.reward = self.stages.reward

    def _parts(self) -> dict[str, Stateful]:
        """The parts that have a state, by name."""
        parts: dict[str, Stateful | None] = {
            "progress": self.progress,
            "learner": self.learner,
            "weights": self.weights,
            "baseline": self.baseline,
            "lagged": self.lagged,
            "value_head": self.value_head,
            "replay": self.replay,
            "filter": self.filter,
            "stages": self.stages,
        }
        if self.stages is None and isinstance(self.reward, Terms):
            parts["reward"] = self.reward
        return {name: part for name, part in parts.items() if part is not None}

    @torch.no_grad()
    def _batch(self) -> tuple[PolicyBatch, dict[str, Tensor]]:
        """Samples with their advantages, and the figures of the step for the log."""
        processes, settings = self.runtime.processes, self.settings
        rng = self.runtime.rng(self.stage, self.progress.number)
        drawn = draw(self.policy, settings.batch_size, rng, self.prompts, processes=processes)
        whole, groups = drawn.sequences.trim(wait=False), drawn.prompt.groups
        chosen = drawn.chosen[:, : whole.tokens.shape[1]]
        each = self.reward.begin(whole) if isinstance(self.reward, Terms) else {}
        part = processes.part(len(whole))
        mine = whole.select(part.rows)
        values = self.values(mine, part, rng)
        scores = processes.gather(self._scores(mine, values), part)
        values = processes.gather(values, part)
        rewarded = scores
        if self.filter is not None:
            keeps = self.filter.keeps(whole)
            values, rewarded = values * keeps[:, None], scores * keeps
        if self.value_head is None:
            transformed = self.transform(values, chosen, groups)
            advantage = advantages(transformed, chosen, self.baseline, groups=groups)
        else:
            advantage = self._by_values(mine, values, chosen, part, groups)
        with self.runtime.autocast():  # the same numbers as in the update
            old = self.policy(mine)
            reference = self.reference(mine) if self.weights.needs_reference else None
        batch = PolicyBatch(
            whole, part, mine, chosen, advantage[part.rows], old, reference, rewarded[part.rows],
            self.policy.max_length, self.weights.entropy, self.weights.kl,
        )  # fmt: skip
        figures = self._figures(batch, scores, _spread(advantage, chosen), each)
        if self.replay is not None:
            self.replay.add(whole, scores)
        if self.table is not None:
            self.table.show(self.progress.number + 1, whole, scores, each)
        return batch, figures

    def _scores(self, mine: Sequences, values: Tensor) -> Tensor:
        """The reward of each sequence [rows] of this process's part."""
        if judges_tokens(self.reward):
            return reward_values(self.reward, mine).sum(1)
        return values.gather(1, (mine.lengths - 1)[:, None])[:, 0]

    def _by_values(
        self, mine: Sequences, values: Tensor, chosen: Tensor, part: Part, groups: Tensor | None
    ) -> Tensor:
        """Advantages [B, T] from the value head, which then learns from what came.

        Args:
            mine: the sequences of this process's part.
            values: [B, T], the reward to go from each token, known at the end.
            chosen: bool [B, T].
            part: of this process.
            groups: as the prompts have them.
        """
        assert self.value_head is not None
        own = values[part.rows]
        after = torch.nn.functional.pad(own, (0, 1))[:, 1:]
        rewards = own - after if judges_tokens(self.reward) else at_the_end(own[:, 0], mine)
        features = self.value_head.features(mine)
        found, targets = self.value_head.advantages(rewards, features, mine.mask)
        with torch.enable_grad():
            self.value_head.update(features, targets, chosen, part)
        whole = self.runtime.processes.gather(found, part)
        return self.transform(whole, chosen, groups)

    def _figures(
        self, batch: PolicyBatch, scores: Tensor, spread: Tensor, each: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Figures of the step for the log."""
        part, mask = batch.part, batch.chosen[batch.part.rows]
        entropy = -part.of_tokens(entropy_bonus(batch.old.entropy, mask), batch.chosen)
        figures = {"mean_reward": scores.mean(), "entropy": entropy, "spread": spread}
        shared = [entropy]
        if batch.reference is not None:
            kl = kl_to_reference(batch.old.log_prob, batch.reference.log_prob, mask, "k1")
            figures["kl"] = part.of_sequences(kl)
            shared.append(figures["kl"])
        self.runtime.processes.add_up(*shared)
        for name, found in each.items():
            mean, deviation = mean_and_spread(found)
            figures |= {f"reward_{name}": mean, f"reward_{name}_sd": deviation}
        source = self.stages or self.reward
        if isinstance(source, (Terms, Stages)):
            calls = torch.tensor(float(source.take_calls()), device=self.runtime.device)
            self.runtime.processes.add_up(calls)
            self.calls += int(calls)
        return figures

    @torch.no_grad()
    def _replayed(self) -> Replayed | None:
        """The remembered sequences that this step trains on too."""
        if self.replay is None:
            return None
        rng = self.runtime.rng(self.stage, "replay", self.progress.number)
        sequences, rewards = self.replay.draw(rng)
        part = self.runtime.processes.part(len(sequences))
        mine = sequences.select(part.rows)
        prior = None
        if self.settings.loss == "augmented":
            with self.runtime.autocast():
                prior = self.reference(mine).log_prob
        return Replayed(part, mine, rewards[part.rows], prior)

    def _loss(
        self,
        batch: PolicyBatch,
        mean_reward: Tensor,
        again: Replayed | None,
        real: tuple[Sequences, Part] | None,
    ) -> Tensor:
        """The share of this process in the loss of a batch, and of what is trained on besides."""
        with without_dropout(self.policy), self.runtime.autocast():
            loss = policy_loss(self.policy(batch.mine), batch, self.settings)
            if again is not None:
                loss = loss + replay_loss(self.policy, again, mean_reward, self.settings)
            if real is not None:
                whole, part = real
                mine = whole.select(part.rows).trim(wait=False)
                nll = nll_loss(self.policy(mine).log_prob, mine.mask)
                loss = loss + self.settings.mle_weight * part.of_tokens(nll, whole.mask)
        return loss

    def _real(self) -> tuple[Sequences, Part] | None:
        """A batch of real sequences for the likelihood, if it is part of the loss."""
        if not self.settings.mle_weight:
            return None
        rng = self.runtime.rng(self.stage, "real", self.learner.step)
        rows = torch.randint(len(self.train), (self.settings.batch_size,), generator=rng)
        real = self.train.select(rows.to(self.train.device))
        return real, self.runtime.processes.part(len(real))

    def _smaller_chunks(self, chunk_size: int) -> None:
        """Keeps a chunk size that memory was enough for, for the rollouts to come."""
        if not self.chunk_size:
            self.runtime.say(
                f"warning: out of memory in the rollouts; continuing with {chunk_size} at once, or "
                "fewer; a smaller --algorithm.batch_size or fewer --algorithm.rollouts need less "
                "memory too"
            )
        self.chunk_size = chunk_size


def _spread(advantage: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation of the advantages [B, T] over the tokens of the mask [B, T]."""
    # The mask is multiplied in: taking its tokens out would make the host wait.
    weights = mask.to(advantage.dtype)
    count = weights.sum().clamp(min=1)
    mean = (advantage * weights).sum() / count
    return (((advantage - mean) * weights) ** 2).sum().div(count).sqrt()
