"""The differentiable player: the discriminator's gradient through relaxed samples.

A sample is drawn by the Gumbel-max trick. In its place the discriminator reads a relaxed one-hot
vector times its embeddings, so that a gradient flows from the discriminator's logit into the policy
(Jang et al. 2017; RelGAN, Nie et al. 2019). The next step reads the token that was drawn:
straight-through with the gradient of the relaxed vector, soft, as RelGAN does, without. So samples
are those of the policy either way. With soft samples the discriminator is trained on relaxed ones
as well: otherwise it would be asked about vectors unlike any that it has learnt from. The gradient
is biased, and has less variance than that of policy gradient. Evaluation and verdict are the same.

Shapes: B sequences, T tokens, R rows of this process, V vocabulary, E embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rollout import (
    TEMPERATURE_SCHEDULES,
    Sequences,
    gumbel_noise_at,
    gumbel_softmax,
    without_dropout,
)
from rollout.divergences import LOWEST
from rollout.randomness import UniformStream
from rollout.sequences import map_tree

from ..config import Relaxed as Settings
from ..models.conditions import without_noise
from ..models.gan_losses import GAN_LOSSES, GANLoss
from ..models.generator import Generator, prompted
from ..models.hierarchy import labels_of, within_labels
from .alike import Alike
from .mle_loss import RealBatch, mle_term
from .players import Materials
from .processes import Part
from .updates import Updates

__all__ = ["RelaxedSamples", "RelaxedUpdates", "relaxed_samples"]


@dataclass(frozen=True)
class RelaxedSamples:
    """Samples whose tokens are vectors.

    Attributes:
        vectors: [R, T, V], rows that sum to 1.
        sequences: the tokens at which they are largest, with the condition asked for.
        entropy: [R, T], of the distributions that the tokens were drawn from, in nats.
    """

    vectors: Tensor
    sequences: Sequences
    entropy: Tensor


def relaxed_samples(
    policy: Generator,
    rows: Tensor,
    stream: UniformStream,
    temperature: float | Tensor,
    *,
    hard: bool,
    condition: Any = None,
) -> RelaxedSamples:
    """Draws sequences with gradients.

    Args:
        policy: the generator.
        rows: int64 [R], numbers of the sequences in the batch: random numbers belong to them.
        stream: the random numbers.
        temperature: of the softmax; in a recording a tensor.
        hard: one-hot vectors, with the gradient of the soft ones.
        condition: of the R sequences.
    """
    keys, state = stream.rows(rows), policy.initial_state(len(rows), condition)
    inputs = policy.embedding(torch.full_like(rows, policy.bos_id))
    vectors, entropies = [], []
    for position in range(policy.max_length):
        features, state = policy.advance_embedded(inputs, state)
        logits = policy.head(features)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        noise = gumbel_noise_at(stream, keys, position, policy.vocab_size)
        vectors.append(gumbel_softmax(logits, noise, temperature, hard=hard))
        if hard:
            inputs = policy.embedded(vectors[-1])
        else:
            inputs = policy.embedding(vectors[-1].detach().argmax(-1))
        log_probs = logits.detach().log_softmax(-1)
        entropies.append(-(log_probs.exp() * log_probs.clamp(min=LOWEST)).sum(-1))
    drawn = torch.stack(vectors, 1)
    tokens = drawn.detach().argmax(-1)
    ended = torch.zeros_like(tokens) if policy.eos_id is None else (tokens == policy.eos_id).long()
    before = (ended.cumsum(1) - ended) == 0  # no EOS before the token
    lengths, terminated = before.sum(1), ended.sum(1) > 0
    tokens = tokens.masked_fill(~before, policy.pad_id)
    sequences = Sequences(tokens, lengths, terminated, condition)
    return RelaxedSamples(drawn, sequences, torch.stack(entropies, 1))


@dataclass(frozen=True)
class _Drawn:
    """Samples of a step and their logits, without gradients.

    Attributes:
        sequences: the tokens.
        entropy: [R, T], as in `RelaxedSamples`.
        logits: [R, K], of the discriminator, K views of each.
        real: [R, K], of as many real sequences, or the same as `logits` if the loss needs none.
    """

    sequences: Sequences
    entropy: Tensor
    logits: Tensor
    real: Tensor


class RelaxedUpdates(Updates):
    """The generator's player.

    Args:
        settings: loss, estimator, temperature, batch, optimizer.
        materials: generator, discriminator, training sequences, device, log.
    """

    def __init__(self, settings: Settings, materials: Materials):
        assert materials.discriminator is not None, "the settings ask for a discriminator"
        super().__init__(
            settings.optimizer, materials,
            "lower --algorithm.optimizer.learning_rate or raise --algorithm.last_temperature",
        )  # fmt: skip
        self.settings, self.discriminator = settings, materials.discriminator
        self.name, self.loss = settings.loss, GAN_LOSSES[settings.loss]
        self._alike: Alike | None = None
        if self.loss.relativistic and materials.train.condition is not None:
            self._alike = Alike(materials.train)

    @property
    def temperature(self) -> float:
        """Temperature of the next step."""
        settings = self.settings
        done = min(1.0, self.progress.number / settings.temperature_steps)
        schedule = TEMPERATURE_SCHEDULES[settings.schedule]
        return schedule(done, settings.temperature, settings.last_temperature)

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them."""
        self.progress.stretch(count, self.step, self.runtime)

    def step(self) -> None:
        """One batch of relaxed samples and one update."""
        temperature = self.temperature
        drawn, part = self.update(temperature)
        self.progress.number += 1
        self.note({**self.read(self._figures(drawn, part)), "temperature": temperature})

    def note(self, figures: dict[str, float]) -> None:
        """Logs a step."""
        self.progress.spread_sum += figures.pop("spread")
        self.runtime.log_step(self.stage, self.progress.number, figures)

    def update(self, temperature: float) -> tuple[_Drawn, Part]:
        """One update by samples of a temperature; the samples, and this process's part of them."""
        self.policy.eval()
        self.discriminator.eval()
        size, runtime = self.settings.batch_size, self.runtime
        part = runtime.processes.part(size)
        rng = runtime.rng(self.stage, self.progress.number)
        given: float | Tensor = temperature
        if self.learner.graphs is not None:  # a number would be that of the recording for ever
            given = torch.tensor(temperature, device=runtime.device)
        asked, key, rows = self._asked(part, rng)
        real = self._real(part, rng, asked) if self.loss.relativistic else None
        condition = self._mine(asked, part)
        learned = self.mixed(self.settings.mle_weight, size, self.progress.number)
        drawn = self.learner.update(
            self._loss, self.name, key, rows, condition, given, real, part, learned
        )
        runtime.count(drawn.sequences.mask, self.learner.model)
        return drawn, part

    @torch.no_grad()
    def relaxed(self, part: Part, rng: torch.Generator) -> RelaxedSamples:
        """Relaxed samples at the temperature of the next step, for the discriminator's steps."""
        asked, key, rows = self._asked(part, rng)
        with without_dropout(self.policy), self.runtime.autocast():
            return relaxed_samples(
                self.policy, rows, UniformStream.of(key), self.temperature, hard=False,
                condition=self._mine(asked, part),
            )  # fmt: skip

    def _asked(self, part: Part, rng: torch.Generator) -> tuple[Any, Tensor, Tensor]:
        """Condition of the whole batch, key of its random numbers, this process's row numbers."""
        device = self.runtime.device
        asked = prompted(self.policy, self.prompts).draw(part.total, rng)
        rows = torch.arange(part.total, device=device)[part.rows]
        return asked.condition, UniformStream(rng, device).key, rows

    def _mine(self, condition: Any, part: Part) -> Any:
        """The part of a batch's condition that this process works on."""
        return map_tree(lambda each: each[part.rows].to(self.runtime.device), condition)

    def _real(self, part: Part, rng: torch.Generator, asked: Any) -> Sequences:
        """Real sequences [R], as many as samples, each with the condition of its sample."""
        rows = torch.randint(len(self.train), (part.total,), generator=rng)
        if self._alike is not None:
            rows = self._alike.rows(self._alike.numbers(asked), rng)
        return self.train.select(rows[part.rows].to(self.train.device))

    def _loss(
        self, name: str, key: Tensor, rows: Tensor, condition: Any, temperature: float | Tensor,
        real: Sequences | None, part: Part, learned: RealBatch | None,
    ) -> tuple[Tensor, _Drawn]:  # fmt: skip
        """The share of this process in the loss of fresh samples, for `Learner.update`."""
        hard, stream = self.settings.estimator == "straight_through", UniformStream.of(key)
        kind = GAN_LOSSES[name]  # by its name, part of the shape: a recording holds one loss
        with without_dropout(self.policy), self.runtime.autocast():
            drawn = relaxed_samples(
                self.policy, rows, stream, temperature, hard=hard, condition=condition
            )
        with (
            without_dropout(self.discriminator),
            _frozen(self.discriminator),
            self.runtime.autocast(),
        ):
            logits = self._logits(drawn, kind)
            theirs = logits.detach() if real is None else self._logits_of(real, kind)
        loss = kind.generator(theirs.flatten(), logits.flatten())
        if real is not None and self.settings.compares_labels:
            labels = (labels_of(each, logits.shape[1]) for each in (drawn.sequences, real))
            ours, others = labels
            if ours is not None and others is not None:  # the kinds in each other's place
                loss = loss + within_labels(
                    name, logits.flatten(), theirs.flatten(), ours, others
                )  # fmt: skip
        share = part.of_sequences(loss)
        if learned is not None:
            with without_dropout(self.policy), self.runtime.autocast():
                share = share + self.settings.mle_weight * mle_term(self.policy, learned)
        return share, _Drawn(drawn.sequences, drawn.entropy, logits.detach(), theirs)

    def _logits(self, drawn: RelaxedSamples, kind: GANLoss) -> Tensor:
        """The discriminator's logits [R, K], with gradients for the samples."""
        weight = self.discriminator.embedding.weight
        embedded = drawn.vectors.to(weight.dtype) @ weight
        return self._views(embedded, without_noise(drawn.sequences), kind)

    @torch.no_grad()
    def _logits_of(self, real: Sequences, kind: GANLoss) -> Tensor:
        """The discriminator's logits [R, K] of real sequences."""
        return self._views(self.discriminator.embedding(real.tokens), real, kind)

    def _views(self, embedded: Tensor, sequences: Sequences, kind: GANLoss) -> Tensor:
        """The discriminator's logits [R, K] of embedded sequences; of its tokens sum or mean."""
        judge, given = self.discriminator, (embedded, sequences.lengths, sequences.condition)
        if judge.per_token:
            logits = judge.forward_embedded(*given).sum(1, keepdim=True)
            if kind.by_mean:
                logits = logits / sequences.lengths[:, None]
        else:
            logits = judge.views_embedded(*given)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    @torch.no_grad()
    def _figures(self, drawn: _Drawn, part: Part) -> dict[str, Tensor]:
        """Figures of the step for the log, of the whole batch."""
        gather, mask = self.runtime.processes.gather, drawn.sequences.mask
        logits, real = (gather(each.mean(1), part) for each in (drawn.logits, drawn.real))
        reward = self.loss.reward(logits, real)
        entropy = gather((drawn.entropy * mask).sum(1), part).sum()
        tokens = gather(drawn.sequences.lengths, part).sum()
        spread = reward.std(unbiased=False)
        return {"mean_reward": reward.mean(), "entropy": entropy / tokens, "spread": spread}


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Takes gradients through a model, and none of its own parameters."""
    trained = [each for each in model.parameters() if each.requires_grad]
    for each in trained:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in trained:
            each.requires_grad_(True)
