"""Training of the discriminator: real against generated sequences, watched on held-out data.

A discriminator that separates its training data well may know nothing of the data (the SeqGAN
paper's CNN memorises its real sequences), so accuracies and the held-out gain are measured on real
sequences that neither model was trained on, and on fresh samples of the policy.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rollout import DiscriminatorReward, Policy, Sequences, generate

from ..config import DiscriminateConfig
from ..metrics.gain import HeldoutGain, heldout_gain
from .runtime import LossWatch, Runtime

__all__ = ["DiscriminatorTraining", "discriminate"]


def discriminate(
    discriminator: nn.Module,
    policy: Policy,
    train: Sequences,
    heldout: Sequences,
    config: DiscriminateConfig,
    runtime: Runtime,
) -> DiscriminatorTraining:
    """Pretrains `discriminator` in place against samples of `policy`."""
    work = DiscriminatorTraining(discriminator, train, heldout, config, runtime)
    count = config.negatives or len(train)
    negatives = generate(policy, count, rng=runtime.rng("discriminate", "negatives"))
    fresh = generate(policy, 2 * len(heldout), rng=runtime.rng("discriminate", "fresh"))
    best, best_step, best_state = -float("inf"), 0, copy.deepcopy(discriminator.state_dict())
    with runtime.progress("Discriminator (steps)", config.steps) as bar:
        while work.step < config.steps:
            steps = min(config.measure_every, config.steps - work.step)
            work.train_steps(steps, negatives)
            measured = work.measure(negatives, fresh)
            # Chosen on one half of the held-out data, reported on the other.
            gain = measured["heldout_gain_fitted"]
            note = (
                f"held-out accuracy {measured['heldout_accuracy']:.3f}, "
                f"gain {measured['heldout_gain']:.3f} nats"
            )
            bar.update(bar.task_ids[0], completed=work.step, note=note)
            if gain > best or not config.early_stopping:
                best, best_step = gain, work.step
                best_state = copy.deepcopy(discriminator.state_dict())
            waited = (work.step - best_step) // config.measure_every
            if config.early_stopping and waited >= config.patience:
                break
    discriminator.load_state_dict(best_state)
    final = work.measure(negatives, fresh, log=False)
    runtime.say(
        f"Discriminator: {work.step} steps, best at {best_step}: held-out accuracy "
        f"{final['heldout_accuracy']:.3f}, held-out gain {final['heldout_gain']:.3f} "
        f"[{final['heldout_gain_low']:.3f}, {final['heldout_gain_high']:.3f}] nats a sequence"
    )
    if final["heldout_gain_low"] <= 0:
        runtime.say(
            "warning: the discriminator's held-out gain is not above 0: what it has learnt of the "
            "training data does not hold on others, and there is little for the generator to learn"
        )
    return work


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
        config: DiscriminateConfig,
        runtime: Runtime,
    ):
        self.config, self.runtime = config, runtime
        self.discriminator = discriminator.to(runtime.device)
        self.train, self.heldout = train.to(runtime.device), heldout.to(runtime.device)
        optimizer = torch.optim.AdamW(
            discriminator.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.model, self.optimizer = runtime.accelerator.prepare(discriminator, optimizer)
        self.step = 0

    def set_learning_rate(self, rate: float) -> None:
        """Another learning rate from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def train_steps(self, steps: int, negatives: Sequences) -> float:
        """Some steps on random real sequences and random rows of `negatives`; the mean loss."""
        watch = LossWatch("discriminator", "lower its learning rate")
        self.model.train()
        size = self.config.batch_size
        for _ in range(steps):
            rng = self.runtime.rng("discriminator", "rows", self.step)
            real = self._draw(self.train, size, rng)
            generated = self._draw(negatives, size, rng)
            self.runtime.seed_dropout("discriminator", self.step)
            # One batch, so that a step is one pass; the same length for both kinds.
            both = Sequences.concat([real, generated], pad_id=0)
            labels = torch.cat([torch.ones(size), torch.zeros(size)]).to(both.device)
            loss = binary_cross_entropy_with_logits(self.model(both), labels)
            norm = self.runtime.update(loss, self.model, self.optimizer, self.config.clip_norm)
            watch.add(loss, norm)
            self.step += 1
        self.model.eval()
        return watch.read(self.step, self.runtime.last_good) if steps else float("nan")

    def measure(
        self, negatives: Sequences, fresh: Sequences, *, log: bool = True
    ) -> dict[str, Any]:
        """Accuracies and held-out gain.

        Args:
            negatives: generated sequences it was trained against.
            fresh: samples of the policy that it was not trained against.
            log: write them to the run's log.
        """
        score = DiscriminatorReward(self.discriminator, "log_odds")
        rows = slice(0, len(self.heldout))  # as many training sequences as held-out ones
        real, held = score(self.train.select(rows)), score(self.heldout)
        old, new = score(negatives.select(rows)), score(fresh)
        gain: HeldoutGain = heldout_gain(held.cpu().numpy(), new.cpu().numpy())
        measured = {
            "train_accuracy": _accuracy(real, old),
            "heldout_accuracy": _accuracy(held, new),
            "heldout_gain_raw": gain.raw,
            "heldout_gain": gain.calibrated,
            "heldout_gain_low": gain.low,
            "heldout_gain_high": gain.high,
            "heldout_beta": gain.beta,
            "heldout_gain_fitted": gain.fitted,
        }
        if log:
            self.runtime.log("discriminator", self.step, **measured)
        return measured

    def _draw(self, sequences: Sequences, count: int, rng: torch.Generator) -> Sequences:
        rows = torch.randint(len(sequences), (count,), generator=rng)
        return sequences.select(rows.to(sequences.device)).trim()


def _accuracy(real: Tensor, generated: Tensor) -> float:
    """Mean of the shares of real and generated sequences that are judged right."""
    return float(((real > 0).float().mean() + (generated <= 0).float().mean()) / 2)
