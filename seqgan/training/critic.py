"""The critic: the player that trains the discriminator, real against generated sequences.

A discriminator that separates its training data well may know nothing of the data (the SeqGAN
paper's CNN memorises its real sequences), so accuracies and the held-out gain are measured on real
sequences that neither model was trained on, and on fresh samples of the policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rollout import Policy, Sequences
from rollout.devices import reads_synchronise
from rollout.sequences import padded_width

from ..config import CriticConfig
from ..data.augmentation import Augmentation
from ..data.prompts import prompts_of
from ..metrics.gain import HeldoutGain, heldout_gain
from ..models import Discriminator
from ..models.conditions import without_noise
from ..models.discriminators.base import sequence_log_odds
from ..models.gan_losses import calibrated
from ..runs.state import as_state, fields_of, from_state, set_fields
from .alike import Alike
from .learner import Learner
from .pair_loss import PairLoss
from .processes import Part
from .runtime import Runtime
from .sampling import MOST_SAMPLES, draw

if TYPE_CHECKING:
    from .relaxed import RelaxedSamples

__all__ = ["Critic"]

FIELDS = ("rounds", "until", "begun")


class Critic:
    """Gradient steps and measurements of a discriminator.

    Args:
        discriminator: trained in place.
        policy: the policy that is to be told from the data; it may change between calls.
        train: real sequences to learn from.
        heldout: real sequences that neither model is trained on, to measure by.
        config: settings.
        runtime: device, seed, log.
        augment: changes sequences before each step; None: they stay as they are.

    Attributes:
        trained: the discriminator.
        negatives: the samples that it was last trained against; None: nothing yet.
        sampling: gives the policy whose samples it is trained against, if that is not `policy`.
            Measurements are of the samples of `policy`.
        pair_loss: its loss.
        relaxed: draws relaxed samples, which the steps are then taken against; None: the steps are
            taken against tokens. Measurements are of tokens either way.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        policy: Policy,
        train: Sequences,
        heldout: Sequences,
        config: CriticConfig,
        runtime: Runtime,
        augment: Augmentation | None = None,
    ):
        self.config, self.runtime, self.policy = config, runtime, policy
        self.augment = augment
        self.train, self.heldout = train.to(runtime.device), heldout.to(runtime.device)
        self.trained = discriminator.to(runtime.device)
        self.learner = Learner(
            discriminator, config.optimizer, runtime, "discriminator",
            "lower --critic.optimizer.learning_rate or --critic.rounds_learning_rate",
        )  # fmt: skip
        self.pair_loss = PairLoss(discriminator, config, runtime)
        self.calibrated = calibrated(discriminator, config)
        self._alike: Alike | None = None
        if train.condition is not None and (config.penalty or self.pair_loss.loss.relativistic):
            self._alike = Alike(train)
        self.rounds, self.until, self.begun = 0, -1, False
        self.negatives: Sequences | None = None
        self.memory: list[Sequences] = []
        self.sampling: Callable[[], Policy | None] = lambda: None
        self.relaxed: Callable[[Part, torch.Generator], RelaxedSamples] | None = None

    @property
    def count(self) -> int:
        """Generated sequences of a set that serves many steps."""
        return self.config.negatives or min(len(self.train), MOST_SAMPLES)

    def steps(self, count: int) -> None:
        """Takes `count` steps against fresh samples of the policy, or what is left of them."""
        if self.until < 0:
            self.until = self.learner.step + count
            if not self.begun:
                self.begun = True
                self.learner.go_on_at(self.config.rounds_learning_rate)
        if count:
            self._round(count)
        self.rounds += 1
        self.until = -1

    def _round(self, count: int) -> None:
        """The steps of a round that are left: one set of samples, or sets one after another."""
        number, first = self.config.fresh_every or count, self.until - count
        for start in range(first, self.until, number):
            done = self.learner.step >= start + number  # before a resume
            if done and not self.config.memory:
                continue
            which = [self.rounds + 1, *([(start - first) // number] if start > first else [])]
            size = min(number, self.until - start) * self.config.batch_size
            if self.config.fresh_every:
                size = min(size, self.count)
            self.negatives = self.draw_negatives(size, self.runtime.rng("fresh", *which))
            if done:  # drawn again for the memory alone
                continue
            against = Sequences.concat([*self.memory, self.negatives], pad_id=0)
            self.train_until(min(self.until, start + number), against)
        self.settle()
        if self.config.memory and self.negatives is not None:
            self.memory = [*self.memory, self.negatives][-self.config.memory :]

    def draw(self, count: int, rng: torch.Generator, like: Sequences) -> Sequences:
        """Samples of the policy, asked for what is asked for in `like`."""
        return self._samples(self.policy, count, rng, like)

    def draw_negatives(self, count: int, rng: torch.Generator) -> Sequences:
        """Samples to be trained against."""
        return self._samples(self.sampling() or self.policy, count, rng, self.train)

    def _samples(
        self, policy: Policy, count: int, rng: torch.Generator, like: Sequences
    ) -> Sequences:
        processes = self.runtime.processes
        drawn = draw(policy, count, rng, prompts_of(like), processes=processes)
        return without_noise(drawn.sequences)

    def train_until(self, step: int, negatives: Sequences) -> float:
        """Trains up to a step on random real sequences and rows of `negatives`; the mean loss."""
        self.trained.train()
        lengths = [each.lengths.cpu() for each in (self.train, negatives)]
        asked = None
        if self.relaxed is None and self._alike is not None:
            asked = self._alike.numbers(negatives.condition)
        while self.learner.step < step:
            drawn = self._drawn(negatives, lengths, asked)
            if self.trained.reads_text:  # made on the host, so no graph can hold the step
                self.learner.update(self.pair_loss(*drawn))
            else:
                self.learner.update(self.pair_loss, *drawn)
            self.runtime.pause()
        self.trained.eval()
        return self.learner.mean_loss()

    def settle(self) -> None:
        """Ends a stretch of steps as `train_until` does, if the run was ended after the last one.

        Raises:
            NonFiniteLossError: a loss since the last reading was NaN or infinite.
        """
        self.trained.eval()
        self.learner.mean_loss()

    def _drawn(
        self, negatives: Sequences, lengths: list[Tensor], asked: Tensor | None
    ) -> tuple[list[Sequences], Part, Tensor | None, Tensor | None]:
        """This process's part of the next batch of pairs.

        The last two are numbers for the gradient penalty, and the generated tokens as vectors
        [R, T, V] where they are relaxed.

        Args:
            negatives: generated sequences.
            lengths: those of the training sequences and of `negatives`, on the host.
            asked: what `negatives` were asked for, see `Alike`; None: pairs need not be alike.
        """
        size, number = self.config.batch_size, self.learner.step
        part, vectors, uniforms = self.runtime.processes.part(size), None, None
        rng = self.runtime.rng("discriminator", "rows", number)
        sources = [self.train, *([negatives] if self.relaxed is None else [])]
        pairs = self._rows(sources, size, rng, lengths, asked)
        if self.augment is not None:
            changes = self.runtime.rng("discriminator", "augmentation", number)
            count = 2 if self.config.augment_generated else 1
            pairs[:count] = [self.augment(each, changes) for each in pairs[:count]]
        for each in pairs:
            self.runtime.count(each.mask, self.learner.model)
        pairs = [each.select(part.rows) for each in pairs]
        if self.relaxed is not None:
            soft = self.relaxed(part, self.runtime.rng("discriminator", "relaxed", number))
            self.runtime.count(soft.sequences.mask, self.learner.model)
            pairs.append(without_noise(soft.sequences))
            vectors = soft.vectors
        self.runtime.seed_dropout("discriminator", number)
        if self.config.penalty:
            rng = self.runtime.rng("discriminator", "between", number)
            uniforms = torch.rand(part.total, generator=rng)[part.rows].to(self.runtime.device)
        return pairs, part, uniforms, vectors

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
            self.runtime.log("discriminator", self.learner.step, **measured)
        return measured

    def figures(self, negatives: Sequences, fresh: Sequences) -> dict[str, Any]:
        """As `measure`, for this process alone."""
        score = sequence_log_odds(self.trained)
        # As many training sequences as held-out ones, at random: neighbouring lines are alike.
        rng = self.runtime.rng("discriminator", "watched")
        rows = torch.randperm(len(self.train), generator=rng)[: len(self.heldout)]
        real = score(self.train.select(rows.to(self.train.device)))
        held = score(self.heldout)
        old, new = score(negatives.select(slice(0, len(self.heldout)))), score(fresh)
        gain: HeldoutGain = heldout_gain(held.cpu().numpy(), new.cpu().numpy())
        # Where the logits are no log-odds, those that were fitted to them decide what is real.
        level = 0.0 if self.calibrated else gain.level
        return {
            **_accuracy("train_accuracy", real > level, old <= level),
            **_accuracy("heldout_accuracy", held > level, new <= level),
            **({"heldout_gain_raw": gain.raw} if self.calibrated else {}),
            "heldout_gain": gain.calibrated,
            "heldout_gain_low": gain.low,
            "heldout_gain_high": gain.high,
            "heldout_beta": gain.beta,
            "heldout_effective": gain.effective,
            "heldout_cross_entropy": gain.cross_entropy,
        }

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        self.learner.soften()
        self.until = -1

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the discriminator's weights."""
        return {
            **fields_of(self, FIELDS),
            "memory": [as_state(each) for each in self.memory],
            "learner": self.learner.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, FIELDS, state)
        self.memory = [from_state(each, self.train.device) for each in state["memory"]]
        self.learner.load_state_dict(state["learner"])

    def _rows(
        self, sources: list[Sequences], count: int, rng: torch.Generator, lengths: list[Tensor],
        asked: Tensor | None,
    ) -> list[Sequences]:  # fmt: skip
        """`count` random rows of each source, without columns that are padding for all.

        On devices that record shapes all have one width, or there would be one for each pair.
        """
        rows = [torch.randint(len(each), (count,), generator=rng) for each in sources]
        if asked is not None and self._alike is not None:
            rows[0] = self._alike.rows(asked[rows[1]], rng)
        drawn = [each.select(n.to(each.device)) for each, n in zip(sources, rows, strict=True)]
        if not reads_synchronise(self.train.device):
            return [each.trim() for each in drawn]
        # The host knows the lengths.
        known = torch.cat([each[n] for each, n in zip(lengths, rows, strict=False)])
        width = padded_width(known, max(each.tokens.shape[1] for each in drawn))
        return [each.narrow(width) for each in drawn]


def _accuracy(name: str, *right: Tensor) -> dict[str, float]:
    """Mean of the shares of real and generated sequences that are judged right, and its error.

    The standard errors are those of Agresti and Coull (1998), two right and two wrong ones more:
    otherwise a few sequences that all are judged right would leave no doubt.
    """
    variance = 0.0
    for part in right:
        count = len(part) + 4
        share = (float(part.sum()) + 2) / count
        variance += share * (1 - share) / count
    value = sum(float(part.float().mean()) for part in right) / 2
    return {name: value, f"{name}_error": math.sqrt(variance) / 2}
