"""The work that is timed: the SeqGAN paper's configuration, by the toolkit and by the plain way.

Batch 64, length 20, 16 rollouts a position, vocabulary 5,000, an LSTM of 32 units, the CNN
discriminator with 12 filter widths (Yu et al. 2017). The toolkit's way is that of a run: gradient
steps are `Learner`'s, and on devices that have CUDA graphs, steps, samples and rollouts are graphs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from rollout.graphs import Graphs
from rollout.randomness import seed_everything, seeded_generator
from seqgan.config import CNN, LSTM, OptimizerConfig
from seqgan.config.components import build
from seqgan.data.dataset import TokenSpec
from seqgan.training.accelerators import set_matmul_precision
from seqgan.training.learner import Learner
from seqgan.training.runtime import Runtime, make_accelerator

__all__ = ["STILL", "PlainWorkload", "Sizes", "Workload", "plain_reference"]

STILL = 1e-9
"""A learning rate so small that every step finds the same model."""


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


TINY = Sizes(200, 6, 4, 2, 16, 2, 2, 4, 0.02)
"""Sizes that take a second and say nothing."""


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
        hidden: units of the LSTM, and of its embeddings.
        graphs: record the work as CUDA graphs, where the device has them.
        matmul_precision: as the setting of a run.
    """

    sizes: Sizes
    device: torch.device
    seed: int = 0
    hidden: int = 32
    graphs: bool = True
    matmul_precision: str = "highest"

    def __post_init__(self) -> None:
        sizes = self.sizes
        seed_everything(self.seed)
        spec = TokenSpec(sizes.vocabulary, 0, 1 if sizes.eos else None, 0, sizes.length, ())
        settings = LSTM(embedding=self.hidden, hidden=self.hidden, dropout=0.0)
        self.generator = build(settings, spec).to(self.device)
        self.judge = build(CNN(filter_share=sizes.filter_share), spec).to(self.device)
        accelerator = make_accelerator(str(self.device), trackers=())
        self.runtime = Runtime(accelerator, self.seed, graphs=self.graphs)
        self.recordings = Graphs() if self.runtime.records else None
        self._learners: dict[nn.Module, Learner] = {}
        self.batch = self.sampled(sizes.batch)

    def resized(self, **changes: Any) -> Workload:
        """The same with other sizes."""
        return replace(self, sizes=replace(self.sizes, **changes))

    @contextmanager
    def products(self) -> Iterator[None]:
        """Products of 32-bit numbers in the precision of this work."""
        set_matmul_precision(self.device, self.matmul_precision)
        try:
            yield
        finally:
            set_matmul_precision(self.device, "highest")

    @property
    def warm_calls(self) -> int:
        """Calls of an operation before it is timed: a shape is recorded at its third time."""
        return 1 if self.recordings is None else 3

    def rng(self) -> torch.Generator:
        """The same random numbers every time."""
        return seeded_generator(self.seed)

    @cached_property
    def real(self) -> Sequences:
        """Sequences for the training steps."""
        return self.sampled(max(self.sizes.batch, 2 * self.sizes.judge_batch))

    def sampled(self, count: int) -> Sequences:
        """Sequences of the generator."""
        return generate(self.generator, count, rng=self.rng(), graphs=self.recordings)

    def rollouts(self, stratified: bool = False, policy: Policy | None = None) -> Tensor:
        """All rollouts of a batch, under a reward that costs nothing."""
        return action_values(
            policy or self.generator,
            self.batch,
            first_token,
            self.sizes.rollouts,
            rng=self.rng(),
            stratified=stratified,
            graphs=self.recordings,
        )

    def rewards(self, precision: str = "fp32") -> Tensor:
        """The values of a generator step: rollouts, and the discriminator's judgement of them."""
        reward = DiscriminatorReward(self.judge, precision=precision)
        return action_values(
            self.generator, self.batch, reward, self.sizes.rollouts, rng=self.rng(),
            stratified=True, graphs=self.recordings,
        )  # fmt: skip

    def mle(self, steps: int) -> None:
        """Steps of maximum likelihood training."""
        batch = self.real.select(slice(0, self.sizes.batch))
        for _ in range(steps):
            self.learner(self.generator).update(self._nll, batch)

    def generator_step(self, precision: str = "fp32") -> None:
        """Samples, their values, and a policy gradient step."""
        self.batch = self.sampled(self.sizes.batch)
        mask = self.batch.mask
        advantage = advantages(self.rewards(precision), mask, make_baseline("leave_one_out"))
        self.learner(self.generator).update(self._policy_loss, self.batch, advantage)

    def judge_training(self, steps: int) -> None:
        """Steps of the discriminator."""
        size = self.sizes.judge_batch
        both = self.real.select(slice(0, 2 * size))
        labels = torch.cat([torch.ones(size), torch.zeros(size)]).to(self.device)
        for _ in range(steps):
            self.learner(self.judge).update(self._judge_loss, both, labels)

    def learner(self, model: nn.Module) -> Learner:
        """The taker of a model's gradient steps."""
        if model not in self._learners:
            still = OptimizerConfig(learning_rate=STILL)
            self._learners[model] = Learner(model, still, self.runtime, "speed", "")
        return self._learners[model]

    def _nll(self, batch: Sequences) -> Tensor:
        return nll_loss(self.generator(batch).log_prob, batch.mask)

    def _policy_loss(self, batch: Sequences, advantage: Tensor) -> Tensor:
        return reinforce_loss(self.generator(batch).log_prob, advantage, batch.mask)

    def _judge_loss(self, both: Sequences, labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(self.judge(both), labels)


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
        models = (work.generator, work.judge)
        self._optimizers = {
            model: torch.optim.AdamW(model.parameters(), lr=STILL, fused=False) for model in models
        }

    def rng(self) -> torch.Generator:
        """Random numbers of the device."""
        return torch.Generator(self.work.device).manual_seed(self.work.seed)

    def sample(self, count: int) -> None:
        """Sequences of the generator."""
        self.plain.sample(self.work.generator, count, self.rng())

    def rollouts(self, number: int) -> None:
        """`number` rollouts of every prefix."""
        work = self.work
        self.plain.action_values(work.generator, work.batch, first_token, number, self.rng())

    def rewards(self, number: int) -> None:
        """`number` rollouts of every prefix, judged."""
        work = self.work

        def reward(sequences: Sequences) -> Tensor:
            return self.plain.cnn_logits(work.judge, sequences).sigmoid()

        work.judge.eval()
        self.plain.action_values(work.generator, work.batch, reward, number, self.rng())
        work.judge.train()

    def mle(self, steps: int) -> None:
        """Steps of maximum likelihood training."""
        work = self.work
        batch = work.real.select(slice(0, work.sizes.batch))
        for _ in range(steps):
            self.update(work.generator, self.plain.nll(work.generator, batch))

    def judge_training(self, steps: int) -> None:
        """Steps of the discriminator."""
        work, size = self.work, self.work.sizes.judge_batch
        both = work.real.select(slice(0, 2 * size))
        halves = both.select(slice(0, size)), both.select(slice(size, 2 * size))
        for _ in range(steps):
            loss = self.plain.discriminator_loss(work.judge, *halves)
            self.update(work.judge, loss)

    def update(self, model: nn.Module, loss: Tensor) -> None:
        """One gradient step."""
        optimizer = self._optimizers[model]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
