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

from rollout import (
    TRANSFORMS,
    LaggedPolicy,
    NucleusMixture,
    Policy,
    Sequences,
    TokenScores,
    action_values,
    advantages,
    constrained,
    discounted_returns,
    entropy_bonus,
    kl_to_reference,
    make_baseline,
    without_dropout,
)
from rollout.rewards import judges_tokens

from ..config import PolicyGradient as Settings
from ..data.prompts import Beginnings, Grouped, Prompts
from ..models import Generator
from ..rewards.terms import at_the_end
from ..runs.state import Stateful, fields_of, set_fields
from .explorer import Explorer
from .mle_loss import RealBatch, mle_term, tokens_per_sequence
from .players import Materials
from .policy_loss import PolicyBatch, policy_loss, reuses
from .processes import Part
from .replay import DiversityFilter, Replay, Replayed, replay_loss
from .sampling import Judge, Judged, draw, spread_over
from .updates import Updates
from .value_head import ValueHead
from .weights import LossWeights

__all__ = ["PolicyGradient"]

FIELDS = ("chunk_size",)
OWN_SHARE = 0.1
"""Share of the policy itself in the mixture with its nucleus."""


class PolicyGradient(Updates):
    """The generator's player.

    Args:
        settings: batch, rollouts, baseline, loss, optimizer.
        materials: generator, reward, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        self.judge = Judge(materials)
        super().__init__(
            settings.optimizer, materials,
            "lower --algorithm.optimizer.learning_rate or raise --algorithm.kl_weight", self.judge,
        )  # fmt: skip
        self.settings, self.constraint = settings, materials.constraint
        self.acting = constrained(self.policy, self.constraint)
        self.reference = constrained(materials.reference, self.constraint)
        self.transform = TRANSFORMS[settings.transform]
        self.discriminator = materials.discriminator
        self.chunk_size = 0  # of the rollouts, if memory was once too small; 0: the default
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
        self.explorer: Explorer | None = None
        if settings.explorer_rate > 0:
            self.explorer = Explorer(
                self.policy, settings.optimizer, settings.explorer_rate, self.runtime, self.stage,
                self.constraint,
            )  # fmt: skip
        own: dict[str, Stateful | None] = {
            "weights": self.weights, "baseline": self.baseline, "lagged": self.lagged,
            "value_head": self.value_head, "replay": self.replay, "filter": self.filter,
            "explorer": self.explorer,
        }  # fmt: skip
        self.parts |= {name: part for name, part in own.items() if part is not None}

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        if self.discriminator is not None and isinstance(self.policy, Generator):
            self.policy.see(self.discriminator)
        self.progress.stretch(count, self.step, self.runtime, lambda: self.done)
        if self.lagged is not None:
            self.lagged.update()

    def step(self) -> None:
        """One batch of samples, and the updates it serves."""
        self.policy.eval()  # the policy that acts is the one that is updated: no dropout
        batch, figures = self._batch()
        mean_reward, again = figures["mean_reward"], self._replayed()
        before = None if self.explorer is None else self._own_mean_reward()
        for _ in range(self.settings.updates if reuses(self.settings) else 1):
            self.runtime.count(batch.chosen, self.learner.model)
            number = self.learner.step
            real = self.mixed(self.settings.mle_weight, self.settings.batch_size, number)
            self.learner.update(self._loss, batch, mean_reward, again, real)
        if self.explorer is not None and before is not None:
            figures["gain"] = self._own_mean_reward() - before
            self.explorer.learn(batch, figures["gain"])
            figures["explorer_loss"] = self.explorer.learner.losses
            self.judge.count_calls()  # before a checkpoint, which does not hold what is not counted
        self.progress.number += 1
        shown = self.read({**figures, **self.weights.figures()})
        if self.explorer is not None:
            shown["explorer_loss"] = self.explorer.learner.mean_of(shown["explorer_loss"])
        self.weights.update(figures)
        self.progress.spread_sum += shown.pop("spread")  # of a step whose loss was finite
        if self.judge.next_stage(shown["mean_reward"]):
            if self.replay is not None:
                self.replay.forget()
            number = self.judge.stage
            self.runtime.say(f"Step {self.progress.number}: stage {number} of the reward begins")
        self.runtime.log_step(self.stage, self.progress.number, shown)

    def judged(self, whole: Sequences, part: Part, mine: Sequences) -> Judged:
        """The reward of a batch, see `Judge`."""
        return self.judge(whole, part, mine)

    def values(self, mine: Sequences, judged: Judged, part: Part, rng: torch.Generator) -> Tensor:
        """The action value of every token [rows, T] of this process's part of the batch."""
        settings = self.settings
        if settings.discount < 1:
            own = at_the_end(judged.mine, mine)
            return discounted_returns(own, mine.mask, settings.discount)
        positions = range(0, mine.tokens.shape[1], settings.positions)
        with self.judge.together():
            return action_values(
                self.runtime.drawing(
                    self.acting
                    if self.lagged is None
                    else constrained(self.lagged.policy, self.constraint)
                ),
                mine,
                self.judge.reward,
                max(1, settings.rollouts),
                rng=rng,
                # Without rollouts no column is estimated: each token has the final reward.
                positions=positions if settings.rollouts else [],
                stratified=settings.stratified,
                chunk_size=self.chunk_size or None,
                on_smaller_chunks=self._smaller_chunks,
                row_offset=part.first,
                graphs=self.recordings,
                own=judged.mine,
            )

    def sampling(self) -> Policy | None:
        """The colder policy, or the mixture with its nucleus, if samples are drawn from one."""
        settings = self.settings
        if settings.nucleus < 1:
            mixture = NucleusMixture(
                self.policy, settings.nucleus, OWN_SHARE, settings.temperature
            )  # fmt: skip
            return constrained(mixture, self.constraint)
        if settings.temperature != 1:
            return constrained(self.policy.tempered(settings.temperature), self.constraint)
        return None

    def soften(self) -> None:
        """Halves the learning rate, clears the moments, and puts the lagging copy in step."""
        super().soften()
        if self.lagged is not None:
            self.lagged.synchronise()
        if self.value_head is not None:
            self.value_head.soften()
        if self.explorer is not None:
            self.explorer.soften()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the policy's weights."""
        return {**fields_of(self, FIELDS), **super().state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        super().load_state_dict(state)

    @torch.no_grad()
    def _batch(self) -> tuple[PolicyBatch, dict[str, Tensor]]:
        """Samples with their advantages, and the figures of the step for the log."""
        processes, settings = self.runtime.processes, self.settings
        rng = self.runtime.rng(self.stage, self.progress.number)
        prompts, given = self._prompts()
        reshaped = self.sampling()
        acting = reshaped or (self.acting if self.explorer is None else self.explorer.acting)
        drawn = draw(
            self.runtime.drawing(acting), settings.batch_size, rng, prompts, processes=processes,
            # A recording belongs to one policy, and a reshaped one is made at every step.
            graphs=self.recordings if reshaped is None else None,
        )  # fmt: skip
        whole, groups = drawn.sequences.trim(wait=False), drawn.prompt.groups
        chosen = drawn.chosen[:, : whole.tokens.shape[1]]
        part = processes.part(len(whole))
        mine = whole.select(part.rows)
        judged = self.judged(whole, part, mine)
        values = processes.gather(self.values(mine, judged, part, rng), part)
        scores = judged.scores
        rewarded = scores
        keeps = None if self.filter is None else self.filter.keeps(whole, scores)
        if keeps is not None:
            values = torch.where(keeps[:, None], values, values.clamp(max=0))
            rewarded = torch.where(keeps, scores, scores.clamp(max=0))
        figures: dict[str, Tensor] = {}
        if self.value_head is None:
            transformed = self.transform(values, chosen, groups)
            advantage = advantages(transformed, chosen, self.baseline, groups=groups)
        else:
            per_token = judges_tokens(self.judge.reward)
            found, loss = self.value_head.learn(mine, values[part.rows], per_token, chosen, part)
            advantage = self.transform(processes.gather(found, part), chosen, groups)
            figures["value_loss"] = loss
        with self.runtime.autocast():  # the same numbers as in the update
            now = self.acting(mine)
            old = now if acting is self.acting else acting(mine)
            reference = self.reference(mine) if self.weights.needs_reference else None
        rewarded_by_itself = self.own_reward(mine)
        judged_advantage = advantage
        if rewarded_by_itself is not None:
            advantage = processes.gather(rewarded_by_itself, part)
        spread = spread_over(advantage, chosen)
        if given:  # what was given is trained by MLE: a weight of 1
            ones = whole.mask.to(advantage.dtype)
            advantage = torch.where(chosen, advantage, ones)
            judged_advantage = torch.where(chosen, judged_advantage, ones)
            chosen = whole.mask
        batch = PolicyBatch(
            whole, part, mine, chosen, advantage[part.rows], old, reference, rewarded[part.rows],
            self.policy.max_length, judged_advantage[part.rows], self.weights.entropy,
            self.weights.kl,
        )  # fmt: skip
        figures |= self._figures(batch, now, judged, spread)
        if self.replay is not None:
            self._remember(self.replay, whole, scores, keeps)
        self.judge.end_step(self.progress.number + 1, whole, judged)
        return batch, figures

    def _remember(
        self, memory: Replay, whole: Sequences, scores: Tensor, keeps: Tensor | None
    ) -> None:
        """Adds the best of a batch to the memory, but for what the filter takes the reward from.

        A reward that moves, as a discriminator's does, judges what is remembered anew.
        """
        if memory.kept is not None and self.judge.moves:
            memory.rewards = self.judge.again(memory.kept.to(scores.device)).cpu()
        if keeps is not None:
            whole, scores = whole.select(keeps), scores[keeps]
        if len(whole):
            memory.add(whole, scores)

    @torch.no_grad()
    def _own_mean_reward(self) -> Tensor:
        """Mean reward of samples of the policy itself, the same numbers twice in a step."""
        processes = self.runtime.processes
        rng = self.runtime.rng(self.stage, "gain", self.progress.number)
        drawn = draw(
            self.runtime.drawing(self.acting), self.settings.batch_size, rng, self._prompts()[0],
            processes=processes, graphs=self.recordings,
        )  # fmt: skip
        whole = drawn.sequences.trim(wait=False)
        part = processes.part(len(whole))
        mine = whole.select(part.rows)
        # On the scale of the step's samples: on their own the mean would be 0 both times.
        return self.judge(whole, part, mine, measures=False).scores.mean()

    def _prompts(self) -> tuple[Prompts, int]:
        """The questions of the step, and how many tokens of real sequences they begin with."""
        settings, prompts = self.settings, self.prompts
        gone = self.progress.number // settings.real_prefix_steps
        given = max(0, settings.real_prefix - gone)
        if given:
            prompts = Beginnings(self.train, given)
        if settings.group_size > 1:
            prompts = Grouped(prompts, settings.group_size)
        return prompts, given

    def _figures(
        self, batch: PolicyBatch, now: TokenScores, judged: Judged, spread: Tensor
    ) -> dict[str, Tensor]:
        """Figures of the step for the log, the policy's `now` at its samples."""
        part, mask = batch.part, batch.chosen[batch.part.rows]
        entropy = -part.of_tokens(entropy_bonus(now.entropy, mask), batch.chosen)
        figures = {**judged.figures(), "entropy": entropy, "spread": spread}
        shared = [entropy]
        if batch.reference is not None:
            kl = kl_to_reference(now.log_prob, batch.reference.log_prob, mask, "k1")
            figures["kl"] = part.of_sequences(kl)
            shared.append(figures["kl"])
        self.runtime.processes.add_up(*shared)
        return figures

    @torch.no_grad()
    def _replayed(self) -> Replayed | None:
        """The remembered sequences that this step trains on too."""
        if self.replay is None or self.replay.kept is None:
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
        real: RealBatch | None,
    ) -> Tensor:
        """The share of this process in the loss of a batch, and of what is trained on besides."""
        with without_dropout(self.policy), self.runtime.autocast():
            loss = policy_loss(self.acting(batch.mine), batch, self.settings)
            if isinstance(self.policy, Generator):  # a policy of the user's own has nothing more
                loss = self._with_own(loss, batch)
            if again is not None:
                loss = loss + replay_loss(self.acting, again, mean_reward, self.settings)
            if real is not None:
                nll = mle_term(self.policy, real, self.settings.mle_per)
                loss = loss + self.settings.mle_weight * nll
        return loss

    def _with_own(self, loss: Tensor, batch: PolicyBatch) -> Tensor:
        """The loss with that of the generator's own parts, in the unit that it is added up in."""
        own = self.policy.own_loss(batch.mine, batch.reward_advantage)
        if own is None:
            return loss
        own = batch.part.of_tokens(own, batch.whole.mask)
        if self.settings.aggregation == "sequence_sum":
            own = own * tokens_per_sequence(batch.whole)
        return loss + own

    def own_reward(self, mine: Sequences) -> Tensor | None:
        """The reward [rows, T] that the generator gives its tokens itself, if it gives one."""
        return self.policy.own_reward(mine) if isinstance(self.policy, Generator) else None

    def _smaller_chunks(self, chunk_size: int) -> None:
        """Keeps a chunk size that memory was enough for, for the rollouts to come."""
        if not self.chunk_size:
            self.runtime.say(
                f"warning: out of memory in the rollouts; continuing with {chunk_size} at once, or "
                "fewer; a smaller --algorithm.batch_size or fewer --algorithm.rollouts need less "
                "memory too"
            )
        self.chunk_size = chunk_size
