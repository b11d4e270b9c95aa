"""Training of the discriminator: real against generated sequences, watched on held-out data.

A discriminator that separates its training data well may know nothing of the data (the SeqGAN
paper's CNN memorises its real sequences), so accuracies and the held-out gain are measured on real
sequences that neither model was trained on, and on fresh samples of the policy.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rollout import DiscriminatorReward, Policy, Sequences

from ..config import CriticConfig
from ..metrics.gain import HeldoutGain, heldout_gain, knowledge, teaching
from ..runs.state import fields_of, load_optimizer, set_fields, weights_for
from .loss_watch import LossWatch
from .runtime import Runtime

__all__ = ["DiscriminatorPretraining", "DiscriminatorTraining", "discriminate"]


def discriminate(
    discriminator: nn.Module,
    policy: Policy,
    train: Sequences,
    heldout: Sequences,
    config: CriticConfig,
    runtime: Runtime,
) -> DiscriminatorTraining:
    """Pretrains `discriminator` in place against samples of `policy`."""
    training = DiscriminatorTraining(discriminator, train, heldout, config, runtime)
    work = DiscriminatorPretraining(training, policy)
    runtime.enter("discriminate", discriminator=discriminator, judge=training, discriminating=work)
    with runtime.progress("Discriminator", "steps", config.steps, work.measured_step) as bar:
        while not work.finished:
            measured = work.stretch()
            note = (
                f"held-out accuracy {measured['heldout_accuracy']:.3f}, "
                f"gain {measured['heldout_gain']:.3f} nats"
            )
            bar.update(training.step, note)
    discriminator.load_state_dict(work.best_state)
    final = training.measure(work.negatives, work.fresh, log=False)
    runtime.say(f"Discriminator: {training.step} steps, best at {work.best_step}")
    kind = "" if knowledge(final) == "something" else "warning: "
    runtime.say(f"{kind}The discriminator {teaching(final)}")
    return training


class DiscriminatorTraining:
    """Gradient steps and measurements of a discriminator.

    Args:
        discriminator: module with ``forward(sequences) -> logits [B]``, trained in place.
        train: real sequences to train on.
        heldout: real sequences that neither model is trained on.
        config: settings.
        runtime: device, seed, log.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        train: Sequences,
        heldout: Sequences,
        config: CriticConfig,
        runtime: Runtime,
    ):
        self.config, self.runtime = config, runtime
        self.discriminator = discriminator.to(runtime.device)
        self.train, self.heldout = train.to(runtime.device), heldout.to(runtime.device)
        optimizer = torch.optim.AdamW(
            discriminator.parameters(),
            lr=config.optimizer.learning_rate,
            weight_decay=config.optimizer.weight_decay,
            fused=runtime.fused,
        )
        self.model, self.optimizer = runtime.prepare(discriminator, optimizer)
        self.step = 0
        self.watch = LossWatch("discriminator", "lower its learning rate")

    def set_learning_rate(self, rate: float) -> None:
        """Another learning rate from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def train_steps(self, steps: int, negatives: Sequences) -> float:
        """Some steps on random real sequences and random rows of `negatives`; the mean loss."""
        self.model.train()
        size = self.config.batch_size
        part = self.runtime.processes.part(2 * size)
        for _ in range(steps):
            rng = self.runtime.rng("discriminator", "rows", self.step)
            real = self._draw(self.train, size, rng)
            generated = self._draw(negatives, size, rng)
            self.runtime.seed_dropout("discriminator", self.step)
            # One batch, so that a step is one pass; the same length for both kinds.
            both = Sequences.concat([real, generated], pad_id=0)
            labels = torch.cat([torch.ones(size), torch.zeros(size)]).to(both.device)
            with self.runtime.autocast():
                logits = self.model(both.select(part.rows))
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            mean = binary_cross_entropy_with_logits(logits, labels[part.rows].to(logits.dtype))
            loss = part.of_sequences(mean)
            self.watch.add(
                *self.runtime.update(
                    loss, self.model, self.optimizer, self.config.optimizer.clip_norm
                )
            )
            self.step += 1
            self.runtime.pause()
        self.model.eval()
        return self.watch.read(self.step, self.runtime.last_good) if len(self.watch) else math.nan

    def measure(
        self, negatives: Sequences, fresh: Sequences, *, log: bool = True
    ) -> dict[str, Any]:
        """Accuracies and held-out gain, measured by the main process.

        Args:
            negatives: generated sequences it was trained against.
            fresh: samples of the policy that it was not trained against.
            log: write them to the run's log.
        """
        measured = self.runtime.processes.agree(lambda: self.figures(negatives, fresh))
        if log:
            self.runtime.log("discriminator", self.step, **measured)
        return measured

    def figures(self, negatives: Sequences, fresh: Sequences) -> dict[str, Any]:
        """As `measure`, for this process alone."""
        score = DiscriminatorReward(self.discriminator, "log_odds")
        # As many training sequences as held-out ones, at random: neighbouring lines are alike.
        rng = self.runtime.rng("discriminator", "watched")
        rows = torch.randperm(len(self.train), generator=rng)[: len(self.heldout)]
        real = score(self.train.select(rows.to(self.train.device)))
        held = score(self.heldout)
        old, new = score(negatives.select(slice(0, len(self.heldout)))), score(fresh)
        gain: HeldoutGain = heldout_gain(held.cpu().numpy(), new.cpu().numpy())
        return {
            **_accuracy("train_accuracy", real, old),
            **_accuracy("heldout_accuracy", held, new),
            "heldout_gain_raw": gain.raw,
            "heldout_gain": gain.calibrated,
            "heldout_gain_low": gain.low,
            "heldout_gain_high": gain.high,
            "heldout_beta": gain.beta,
            "heldout_effective": gain.effective,
            "heldout_cross_entropy": gain.cross_entropy,
        }

    def state_dict(self) -> dict[str, Any]:
        """What has to be kept to go on later, besides the discriminator's weights."""
        return {
            "step": self.step,
            "optimizer": self.optimizer.state_dict(),
            "watch": self.watch.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        set_fields(self, ("step",), state)
        load_optimizer(self.optimizer, state["optimizer"])
        self.watch.load_state_dict(state["watch"])

    def _draw(self, sequences: Sequences, count: int, rng: torch.Generator) -> Sequences:
        rows = torch.randint(len(sequences), (count,), generator=rng)
        return sequences.select(rows.to(sequences.device)).trim(wait=False)


FIELDS = ("measured_step", "best", "best_step")
MOST_NEGATIVES = 100_000
"""Samples to train against where their number follows that of the training sequences: as many as
there are would take hours to draw where those are millions."""


class DiscriminatorPretraining:
    """The steps against one set of samples of the policy, and the choice of the best state.

    Args:
        training: the discriminator and its training.
        policy: what the samples come from; it does not change meanwhile.
    """

    def __init__(self, training: DiscriminatorTraining, policy: Policy):
        self.training, self.config, runtime = training, training.config, training.runtime
        count = self.config.negatives or min(len(training.train), MOST_NEGATIVES)
        fresh = 2 * len(training.heldout)
        rng = runtime.rng
        self.negatives = runtime.processes.generate(policy, count, rng("discriminate", "negatives"))
        self.fresh = runtime.processes.generate(policy, fresh, rng("discriminate", "fresh"))
        self.measured_step = self.best_step = 0
        self.best = float("inf")
        self.best_state = copy.deepcopy(training.discriminator.state_dict())

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or measurements have seen no progress for too long."""
        waited = (self.measured_step - self.best_step) // self.config.measure_every
        stalled = self.config.early_stopping and waited >= self.config.patience
        return self.measured_step >= self.config.steps or stalled

    def stretch(self) -> dict[str, Any]:
        """The steps up to the next measurement, or what is left of them, and the measurement."""
        until = min(self.measured_step + self.config.measure_every, self.config.steps)
        self.training.train_steps(until - self.training.step, self.negatives)
        measured = self.training.measure(self.negatives, self.fresh)
        self.measured_step = until
        # Chosen on one half of the held-out data, reported on the other.
        loss = measured["heldout_cross_entropy"]
        if loss < self.best or not self.config.early_stopping:
            self.best, self.best_step = loss, until
            self.best_state = copy.deepcopy(self.training.discriminator.state_dict())
        return measured

    def state_dict(self) -> dict[str, Any]:
        """What has to be kept to go on later; the samples are drawn again."""
        return {**fields_of(self, FIELDS), "best_state": self.best_state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        set_fields(self, FIELDS, state)
        self.best_state = weights_for(self.training.discriminator, state["best_state"])


def _accuracy(name: str, real: Tensor, generated: Tensor) -> dict[str, float]:
    """Mean of the shares of real and generated sequences that are judged right, and its error.

    The standard errors are those of Agresti and Coull (1998), two right and two wrong ones more:
    otherwise a few sequences that all are judged right would leave no doubt.
    """
    right = [real > 0, generated <= 0]
    variance = 0.0
    for part in right:
        count = len(part) + 4
        share = (float(part.sum()) + 2) / count
        variance += share * (1 - share) / count
    value = sum(float(part.float().mean()) for part in right) / 2
    return {name: value, f"{name}_error": math.sqrt(variance) / 2}
