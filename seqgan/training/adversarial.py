"""Adversarial fine-tuning: the loop of SeqGAN (Yu et al. 2017, algorithm 1), as a composition.

A round samples sequences from the policy, gives every token the value that Monte Carlo rollouts
and the reward find for it, takes a policy gradient step, and then trains the discriminator on fresh
samples. What differs from the paper is a setting: the reward's form (log-odds instead of P(real)),
a baseline (the paper has none), an anchor to the pretrained policy, a stop on validation. With
``--preset paper`` they are the paper's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

import rollout
from rollout import (
    ConstantReward,
    DiscriminatorReward,
    LaggedPolicy,
    Policy,
    RandomReward,
    Reward,
    Sequences,
    action_values,
    advantages,
    entropy_bonus,
    make_baseline,
    without_dropout,
)
from rollout.modules import frozen_copy

from ..config import AdversarialConfig
from ..errors import NonFiniteLossError, RewardError
from ..runs.state import fields_of, load_optimizer, set_fields, weights_for
from .discriminate import DiscriminatorTraining
from .loss_watch import LossWatch
from .policy_loss import PolicyBatch, policy_loss
from .processes import Part
from .runtime import Runtime
from .trouble import GENERATOR, Lookout

__all__ = ["AdversarialTraining", "Validation", "do_rounds", "fine_tune", "make_reward"]

Validation = Callable[[Policy, int], dict[str, float]]
"""``validate(policy, round)`` gives measurements; their "score" is to be minimised."""


def fine_tune(
    generator: nn.Module,
    discriminator: DiscriminatorTraining,
    config: AdversarialConfig,
    validate: Validation,
    runtime: Runtime,
) -> AdversarialTraining:
    """Fine-tunes `generator` in place.

    Ends with the state that was best on validation (with the last one, without early stopping).
    """
    work = AdversarialTraining(generator, discriminator, config, runtime)
    judge = discriminator.discriminator
    runtime.enter("adversarial", discriminator=judge, judge=discriminator, adversarial=work)
    if not runtime.past("adversarial"):  # otherwise it takes up its state in the next phase
        do_rounds(work, validate, runtime)
    return work


def do_rounds(work: AdversarialTraining, validate: Validation, runtime: Runtime) -> None:
    """Runs the rounds that are left, and ends with the state that is to be kept."""
    config, title = work.config, work.stage.capitalize()
    if not work.history:
        work.measure(validate)
    with runtime.progress(title, "rounds", config.rounds, work.rounds_done) as bar:
        while not work.finished:
            try:
                work.round()
            except NonFiniteLossError as error:
                work.recover(error)
                continue
            if work.rounds_done % config.measure_every == 0 or work.rounds_done == config.rounds:
                work.measure(validate)
            note = f"validation {work.history[-1]:.4f}, best {work.best_score:.4f}"
            bar.update(work.rounds_done, note)
    kept = config.early_stopping or work.stopped
    if kept:
        work.restore_best()
    runtime.say(
        f"{title}: {work.rounds_done} rounds, best validation score {work.best_score:.4f} "
        f"after round {work.best_round} (0 is the pretrained model)"
        + ("" if kept else "; the last state is kept")
    )


def make_reward(config: AdversarialConfig, discriminator: nn.Module | None, seed: int) -> Reward:
    """The reward that a setting names: the discriminator's, or one with nothing to teach."""
    if config.reward == "constant":
        return ConstantReward(1.0)
    if config.reward == "random":
        return RandomReward(seed)
    assert discriminator is not None
    return DiscriminatorReward(
        discriminator, config.reward_form, precision=config.scoring_precision
    )


FIELDS = (
    "rounds_done", "best_round", "step", "updates_done", "generator_steps_done", "judge_until",
    "best_score", "history", "stopped", "times_restored", "chunk_size", "spread_sum",
)  # fmt: skip
MOST_RESTORED = 5
"""Times that training goes back to the best state; what goes wrong more often than that stays."""


class AdversarialTraining:
    """The rounds, one at a time.

    Args:
        generator: the policy, an ``nn.Module``, trained in place.
        discriminator: the pretrained discriminator and its training; None where the reward needs
            none.
        config: settings.
        runtime: device, seed, log.

    Attributes:
        stage: name of the generator's steps in the log, and of their random numbers.
        validation: name of the measurements in the log.
    """

    stage, validation = "adversarial", "validation"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: DiscriminatorTraining | None,
        config: AdversarialConfig,
        runtime: Runtime,
    ):
        self.config, self.runtime, self.discriminator = config, runtime, discriminator
        self.generator = generator.to(runtime.device).eval()
        self.policy = cast(Policy, generator)
        optimizer = torch.optim.Adam(
            generator.parameters(), lr=config.learning_rate, fused=runtime.fused
        )
        self.model, self.optimizer = runtime.prepare(generator, optimizer)
        self.reward = make_reward(config, self.judge, runtime.seed)
        self.baseline = make_baseline(config.baseline)
        self.reference = frozen_copy(generator)
        self.lagged: LaggedPolicy | None = None
        if config.rollout_update_rate > 0:
            self.lagged = LaggedPolicy(self.policy, config.rollout_update_rate)
        self.rollout_policy = self.policy if self.lagged is None else self.lagged.policy
        if discriminator is not None:
            discriminator.set_learning_rate(config.discriminator_learning_rate)
        self.rounds_done = self.best_round = self.step = self.updates_done = 0
        # How far the round has come: generator steps, and where the discriminator's will end.
        self.generator_steps_done, self.judge_until = 0, -1
        self.best_score = float("inf")
        self.spread_sum = 0.0
        self._keep_states()
        self.history: list[float] = []
        judging = discriminator if config.reward == "discriminator" else None
        self.lookout = Lookout(self.reference, judging, runtime)
        self.negatives: Sequences | None = None  # what the discriminator was last trained against
        self.stopped, self.times_restored = False, 0
        self.chunk_size = 0  # of the rollouts, where memory was once too small; 0: the default

    @property
    def judge(self) -> nn.Module | None:
        """The discriminator itself."""
        return None if self.discriminator is None else self.discriminator.discriminator

    @property
    def spread(self) -> float:
        """Standard deviation of a step's advantages over its tokens, mean of the steps so far."""
        return self.spread_sum / max(1, self.step)

    @property
    def finished(self) -> bool:
        """Whether all rounds are done, or validation has seen no progress for too long."""
        waited = (self.rounds_done - self.best_round) // self.config.measure_every
        patient = self.config.early_stopping and self.config.patience > 0
        stalled = patient and waited >= self.config.patience
        return self.rounds_done >= self.config.rounds or stalled or self.stopped

    def round(self) -> None:
        """Generator steps, then discriminator steps on fresh samples; or what is left of them."""
        while self.generator_steps_done < self.config.generator_steps:
            self.generator_step()
            self.generator_steps_done += 1
            self.runtime.pause()
        steps = self.config.discriminator_steps if self.config.reward == "discriminator" else 0
        if self.judge_until < 0:
            if self.lagged is not None:
                self.lagged.update()
            self.judge_until = steps + (self.discriminator.step if self.discriminator else 0)
        if steps:
            assert self.discriminator is not None
            count = steps * self.discriminator.config.batch_size
            rng = self.runtime.rng("fresh", self.rounds_done + 1)
            self.negatives = self.runtime.processes.generate(self.policy, count, rng)
            left = self.judge_until - self.discriminator.step
            self.discriminator.train_steps(left, self.negatives)
        self.rounds_done += 1
        self.generator_steps_done, self.judge_until = 0, -1

    def generator_step(self) -> None:
        """One batch of samples and the policy gradient updates it serves."""
        # The policy that acts is the one that is updated: no dropout.
        self.generator.eval()
        batch = self._sample()
        watch = LossWatch(
            self.stage, "lower --adversarial.learning_rate or --adversarial.kl_weight"
        )
        for _ in range(self.config.updates if self.config.loss == "clipped" else 1):
            with without_dropout(self.model), self.runtime.autocast():
                scores = self.model(batch.mine)
            loss = policy_loss(scores, batch, self.config)
            watch.add(*self.runtime.update(loss, self.model, self.optimizer, self.config.clip_norm))
            self.updates_done += 1
        self.step += 1
        mean_loss = watch.read(self.updates_done, self.runtime.last_good)
        self.spread_sum += float(batch.spread)  # of a step whose loss was finite
        self.runtime.log(
            self.stage,
            self.step,
            round=self.rounds_done + 1,
            loss=mean_loss,
            mean_reward=float(batch.mean_reward),
            entropy=self._entropy(batch),
        )

    def measure(self, validate: Validation) -> None:
        """Measures the policy on validation, keeps the best state, and looks out for trouble."""
        measured = self.runtime.processes.agree(lambda: validate(self.policy, self.rounds_done))
        score = measured["score"]
        self.history.append(score)
        self.runtime.log(self.validation, self.step, round=self.rounds_done, **measured)
        found = self._look()
        # Before the first round nothing has gone wrong yet, whatever a limit says.
        self.stopped = bool(found and self.rounds_done) and self.config.on_trouble == "stop"
        if score < self.best_score:
            self.best_score, self.best_round = score, self.rounds_done
            self._keep_states()
            self._save_best()
        elif self.config.on_trouble == "restore" and set(found) & set(GENERATOR):
            self._go_back()

    def _look(self) -> list[str]:
        """The kinds of trouble that there are now."""
        return self.lookout.look(self.policy, self.negatives, self.step, self.rounds_done)

    def _keep_states(self) -> None:
        """Keeps both models as they are now."""
        self.best_state = copy.deepcopy(self.generator.state_dict())
        self.best_judge = None if self.judge is None else copy.deepcopy(self.judge.state_dict())

    def _save_best(self) -> None:
        """Writes the checkpoint of a state that is the best so far."""
        self.runtime.save("best")

    def recover(self, error: NonFiniteLossError) -> None:
        """What follows on a loss that is not finite; raises it where that is all one can do."""
        if self.config.on_trouble == "warn" or self.times_restored == MOST_RESTORED:
            raise error
        self.runtime.say(f"warning: {error}")
        self.stopped = self.config.on_trouble == "stop"
        if not self.stopped:
            self._go_back()

    def _go_back(self) -> None:
        """Both models as they were at their best, and smaller steps from there."""
        if self.times_restored == MOST_RESTORED:
            return
        self.times_restored += 1
        self.restore_best()
        if self.lagged is not None:
            self._lagged_module.load_state_dict(self.best_state)
        self.optimizer.state.clear()
        if self.discriminator is not None:
            self.discriminator.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] /= 2
        self.runtime.say(
            f"Back to the state after round {self.best_round}, with half the learning rate"
        )

    def summary(self) -> dict[str, Any]:
        """What became of the rounds."""
        return {
            "rounds": self.rounds_done,
            "best_round": self.best_round,
            "best_score": self.best_score,
            "validation_scores": self.history,
            "troubles": self.lookout.seen,
            "stopped": self.stopped,
            "times_restored": self.times_restored,
            "spread": self.spread,
        }

    def restore_best(self) -> None:
        """Puts the state that was best on validation back into both models."""
        self.generator.load_state_dict(self.best_state)
        if self.judge is not None and self.best_judge is not None:
            self.judge.load_state_dict(self.best_judge)
        self.generator.eval()

    def state_dict(self) -> dict[str, Any]:
        """What has to be kept to go on later, besides both models and the discriminator's own."""
        return {
            **fields_of(self, FIELDS),
            "best_state": self.best_state,
            "best_judge": self.best_judge,
            "reference": self.reference.state_dict(),
            "lagged": None if self.lagged is None else self._lagged_module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": self.baseline.state_dict(),
            "lookout": self.lookout.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        set_fields(self, FIELDS, state)
        self.best_state = weights_for(self.generator, state["best_state"])
        if self.judge is not None:
            self.best_judge = weights_for(self.judge, state["best_judge"])
        self.reference.load_state_dict(state["reference"])
        if self.lagged is not None:
            self._lagged_module.load_state_dict(state["lagged"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.baseline.load_state_dict(state["baseline"])
        self.lookout.load_state_dict(state["lookout"])

    @property
    def _lagged_module(self) -> nn.Module:
        assert self.lagged is not None
        return cast(nn.Module, self.lagged.policy)

    @torch.no_grad()
    def _sample(self) -> PolicyBatch:
        processes = self.runtime.processes
        rng = self.runtime.rng(self.stage, self.step)
        whole = processes.generate(self.policy, self.config.batch_size, rng).trim(wait=False)
        part = processes.part(len(whole))
        mine = whole.select(part.rows)
        values = processes.gather(self._values(mine, part, rng), part)
        advantage = advantages(
            values, whole.mask, self.baseline, normalize=self.config.normalize_advantage
        )
        with self.runtime.autocast():  # the same numbers as in the update
            old = self.policy(mine)
            reference = self.reference(mine) if self.config.kl_weight else None
        return PolicyBatch(
            whole,
            part,
            mine,
            advantage[part.rows],
            old=old,
            reference=reference,
            # The mask is multiplied in: taking its tokens out would make the host wait.
            spread=_spread(advantage, whole.mask),
            mean_reward=values.gather(1, (whole.lengths - 1)[:, None]).mean(),
        )

    def _values(self, sequences: Sequences, part: Part, rng: torch.Generator) -> Tensor:
        """The action value of every token of a part of the batch [rows, T]."""
        positions = range(0, sequences.tokens.shape[1], self.config.positions)
        try:
            return action_values(
                self.rollout_policy,
                sequences,
                self.reward,
                max(1, self.config.rollouts),
                rng=rng,
                # Without rollouts no column is estimated: each token has the final reward.
                positions=positions if self.config.rollouts else [],
                stratified=self.config.stratified,
                chunk_size=self.chunk_size or None,
                on_smaller_chunks=self._smaller_chunks,
                row_offset=part.first,
            )
        except rollout.RewardError as error:
            raise RewardError(f"the reward: {error}") from error

    def _entropy(self, batch: PolicyBatch) -> float:
        """Of the policy that sampled the batch, nats a token."""
        mean = entropy_bonus(batch.old.entropy, batch.mine.mask)
        entropy = -batch.part.of_tokens(mean, batch.whole)
        self.runtime.processes.add_up(entropy)
        return float(entropy)

    def _smaller_chunks(self, chunk_size: int) -> None:
        """Memory was not enough: the rollouts to come take less of it from the start."""
        if not self.chunk_size:
            self.runtime.say(
                f"warning: out of memory in the rollouts; continuing with {chunk_size} at once, or "
                "fewer; a smaller --adversarial.batch_size or fewer --adversarial.rollouts need "
                "less memory too"
            )
        self.chunk_size = chunk_size


def _spread(advantage: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation of the advantages [B, T] over the tokens of the mask [B, T]."""
    weights = mask.to(advantage.dtype)
    count = weights.sum().clamp(min=1)
    mean = (advantage * weights).sum() / count
    return (((advantage - mean) * weights) ** 2).sum().div(count).sqrt()
