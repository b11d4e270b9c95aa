"""The work that is timed: the SeqGAN paper's configuration, by the toolkit and by the plain way.

Batch 64, length 20, 16 rollouts a position, vocabulary 5,000, an LSTM of 32 units, the CNN
discriminator with 12 filter widths (Yu et al. 2017).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from rollout import (
    DiscriminatorReward,
    Policy,
    Sequences,
    action_values,
    advantages,
    generate,
    make_baseline,
    nll_loss,
    reinforce_loss,
)
from rollout.randomness import seed_everything, seeded_generator
from seqgan.config import CNN, LSTM
from seqgan.config.components import build
from seqgan.data.dataset import TokenSpec

__all__ = ["Sizes", "Workload", "plain_reference"]


@dataclass(frozen=True)
class Sizes:
    """Models and data that are worked on.

    Attributes:
        vocabulary: V.
        length: T.
        batch: sequences of a generator step and of an MLE step.
        rollouts: N.
        samples: sequences sampled.
        mle_steps: batches of an MLE epoch.
        judge_steps: batches of a discriminator epoch.
        judge_batch: real sequences of a batch, and as many generated ones.
        filter_share: of the paper's numbers of filters.
        eos: whether sequences end in token 1, the others as likely as the weights say.
    """

    vocabulary: int = 5_000
    length: int = 20
    batch: int = 64
    rollouts: int = 16
    samples: int = 6_400
    mle_steps: int = 156
    judge_steps: int = 157
    judge_batch: int = 64
    filter_share: float = 1.0
    eos: bool = False

    def tokens(self) -> int:
        """Tokens that all rollouts of a batch sample, without EOS: B N T (T - 1) / 2."""
        return self.batch * self.rollouts * self.length * (self.length - 1) // 2


def plain_reference() -> ModuleType | None:
    """The plain reference, which is part of the tests; None where there is no checkout."""
    path = Path(__file__).parents[2] / "tests" / "plain.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("plain_reference", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Workload:
    """Models and data of one size, and each operation by the toolkit.

    Args:
        sizes: what is worked on.
        device: where.
        seed: of everything.
    """

    sizes: Sizes
    device: torch.device
    seed: int = 0
    hidden: int = 32
    _optimizers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = self.sizes
        seed_everything(self.seed)
        spec = TokenSpec(sizes.vocabulary, 0, 1 if sizes.eos else None, 0, sizes.length, ())
        settings = LSTM(embedding=self.hidden, hidden=self.hidden, dropout=0.0)
        self.generator = build(settings, spec).to(self.device)
        self.judge = build(CNN(filter_share=sizes.filter_share), spec).to(self.device)
        self.batch = self.sampled(sizes.batch)

    def resized(self, **changes: Any) -> Workload:
        """The same with other sizes."""
        return Workload(replace(self.sizes, **changes), self.device, self.seed, self.hidden)

    def rng(self) -> torch.Generator:
        """The same random numbers every time."""
        return seeded_generator(self.seed)

    @cached_property
    def real(self) -> Sequences:
        """Sequences for the training steps."""
        return self.sampled(max(self.sizes.batch, 2 * self.sizes.judge_batch))

    def sampled(self, count: int) -> Sequences:
        """Sequences of the generator."""
        return generate(self.generator, count, rng=self.rng())

    def rollouts(self, stratified: bool = False, policy: Policy | None = None) -> Tensor:
        """All rollouts of a batch, under a reward that costs nothing."""
        return action_values(
            policy or self.generator,
            self.batch,
            first_token,
            self.sizes.rollouts,
            rng=self.rng(),
            stratified=stratified,
        )

    def rewards(self, precision: str = "fp32") -> Tensor:
        """The values of a generator step: rollouts, and the discriminator's judgement of them."""
        reward = DiscriminatorReward(self.judge, precision=precision)
        return action_values(
            self.generator, self.batch, reward, self.sizes.rollouts, rng=self.rng(), stratified=True
        )

    def mle(self, steps: int) -> None:
        """Steps of maximum likelihood training."""
        batch = self.real.select(slice(0, self.sizes.batch))
        for _ in range(steps):
            self.update(self.generator, nll_loss(self.generator(batch).log_prob, batch.mask))

    def generator_step(self, precision: str = "fp32") -> None:
        """Samples, their values, and a policy gradient step."""
        self.batch = self.sampled(self.sizes.batch)
        mask = self.batch.mask
        advantage = advantages(self.rewards(precision), mask, make_baseline("leave_one_out"))
        log_prob = self.generator(self.batch).log_prob
        self.update(self.generator, reinforce_loss(log_prob, advantage, mask))

    def judge_training(self, steps: int) -> None:
        """Steps of the discriminator."""
        size = self.sizes.judge_batch
        both = self.real.select(slice(0, 2 * size))
        labels = torch.cat([torch.ones(size), torch.zeros(size)]).to(self.device)
        for _ in range(steps):
            self.update(self.judge, binary_cross_entropy_with_logits(self.judge(both), labels))

    def update(self, model: nn.Module, loss: Tensor, fused: bool = True) -> None:
        """One gradient step."""
        name = f"{type(model).__name__}, fused {fused}"
        if name not in self._optimizers:
            # A rate so small that every step finds the same model.
            self._optimizers[name] = torch.optim.AdamW(model.parameters(), lr=1e-9, fused=fused)
        optimizer = self._optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()


def first_token(sequences: Sequences) -> Tensor:
    """A reward that costs nothing."""
    return sequences.tokens[:, 0].float()


class PlainWorkload:
    """The same operations by the plain reference; a part of those that take long.

    Args:
        work: models and data.
        plain: the module of the reference.
    """

    def __init__(self, work: Workload, plain: ModuleType):
        self.work, self.plain = work, plain

    def sample(self, count: int) -> None:
        """Sequences of the generator."""
        self.plain.sample(self.work.generator, count, self.work.rng())

    def rollouts(self, number: int) -> None:
        """`number` rollouts of every prefix."""
        work = self.work
        self.plain.action_values(work.generator, work.batch, first_token, number, work.rng())

    def rewards(self, number: int) -> None:
        """`number` rollouts of every prefix, judged."""
        work = self.work

        def reward(sequences: Sequences) -> Tensor:
            return self.plain.cnn_logits(work.judge, sequences).sigmoid()

        work.judge.eval()
        self.plain.action_values(work.generator, work.batch, reward, number, work.rng())
        work.judge.train()

    def mle(self, steps: int) -> None:
        """Steps of maximum likelihood training."""
        work = self.work
        batch = work.real.select(slice(0, work.sizes.batch))
        for _ in range(steps):
            work.update(work.generator, self.plain.nll(work.generator, batch), fused=False)

    def judge_training(self, steps: int) -> None:
        """Steps of the discriminator."""
        work, size = self.work, self.work.sizes.judge_batch
        both = work.real.select(slice(0, 2 * size))
        halves = both.select(slice(0, size)), both.select(slice(size, 2 * size))
        for _ in range(steps):
            loss = self.plain.discriminator_loss(work.judge, *halves)
            work.update(work.judge, loss, fused=False)
