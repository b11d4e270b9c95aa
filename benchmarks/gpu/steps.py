"""Gradient steps as CUDA graphs, against the same steps one operation after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rollout import DiscriminatorReward, Sequences, generate
from rollout.graphs import records_on
from rollout.modules import frozen_copy
from rollout.randomness import seed_everything, seeded_generator
from seqgan.config import CNN, LSTM, CriticConfig, OptimizerConfig, PretrainConfig
from seqgan.config import PolicyGradient as PolicyGradientConfig
from seqgan.config import Ratio as RatioConfig
from seqgan.config.components import build
from seqgan.data.prompts import NoPrompts
from seqgan.data.spec import TokenSpec
from seqgan.models import Ensemble, Generator, make_generator
from seqgan.rewards.ratio import RatioReward
from seqgan.training.critic import Critic
from seqgan.training.learner import Learner
from seqgan.training.players import Materials
from seqgan.training.policy_gradient import PolicyGradient
from seqgan.training.pretrain import Pretraining
from seqgan.training.ratio import RatioUpdates
from seqgan.training.runtime import Runtime, make_accelerator

__all__ = ["TRAININGS", "Training", "apart", "broken", "deterministic", "equal"]

CLOSE = 1e-6
"""Largest difference of a parameter that rounding accounts for."""
_SPEC = TokenSpec(30, 1, 2, 0, 6, (0, 1))


@dataclass
class Training:
    """A training that takes one step after another.

    Attributes:
        learner: takes the steps.
        steps: takes so many more.
    """

    learner: Learner
    steps: Callable[[int], object]


def _mle(runtime: Runtime, real: Sequences, policy: Generator) -> Training:
    config = PretrainConfig(batch_size=4, epochs=10_000, epoch_steps=1)
    work = Pretraining(policy, real, real.select(slice(0, 4)), config, runtime)

    def steps(count: int) -> None:
        for _ in range(count):
            work.epoch()

    return Training(work.learner, steps)


def _critic(runtime: Runtime, real: Sequences, policy: Generator) -> Training:
    judge = build(CNN(filter_share=0.05), _SPEC)
    work = Critic(judge, policy.eval(), real, real, CriticConfig(batch_size=4), runtime)
    samples = work.draw(len(real), seeded_generator(3), real)
    return Training(
        work.learner, lambda count: work.train_until(work.learner.step + count, samples)
    )


def _materials(runtime: Runtime, real: Sequences, policy: Generator, **more: Any) -> Materials:
    reward: Any = DiscriminatorReward(build(CNN(filter_share=0.05), _SPEC).to(runtime.device))
    more = {"reward": reward, **more}
    return Materials(
        generator=policy, reference=frozen_copy(policy), discriminator=None, train=real,
        prompts=NoPrompts(), runtime=runtime, **more,
    )  # fmt: skip


def _policy_gradient(runtime: Runtime, real: Sequences, policy: Generator) -> Training:
    config = PolicyGradientConfig(batch_size=4, rollouts=1, kl_weight=0.1)
    work = PolicyGradient(config, _materials(runtime, real, policy))
    return Training(work.learner, work.steps)


def _ratio(runtime: Runtime, real: Sequences, policy: Generator) -> Training:
    members = [make_generator(policy.settings, _SPEC, seed).to(runtime.device) for seed in (5, 6)]
    ensemble = Ensemble([each.eval() for each in members], "minimum").requires_grad_(False)
    more = {"ensemble": ensemble, "reward": RatioReward(ensemble, policy)}
    work = RatioUpdates(RatioConfig(batch_size=4), _materials(runtime, real, policy, **more))
    return Training(work.learner, work.steps)


TRAININGS = {
    "MLE": _mle, "discriminator": _critic, "policy gradient": _policy_gradient, "ratio": _ratio,
}  # fmt: skip
"""The main jobs by name."""


def apart(name: str, device: str, count: int) -> tuple[float, int]:
    """Trains twice from one state, with graphs and without, by the same optimizer.

    Returns:
        The largest difference of a parameter after `count` steps, and the steps that were launched
        as graphs.
    """
    with deterministic(warn_only=False):
        first, second = (_trained(name, device, count, limit) for limit in (None, 0))
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    most = max(float((one - other).detach().abs().max()) for one, other in pairs)
    return most, first.replays


def equal(device: str, count: int = 50) -> str:
    """Steps of every main job are the same with graphs and without.

    Raises:
        AssertionError: they are not, or no step was recorded.
    """
    if not records_on(torch.device(device)):
        return "no graphs on this device"
    most = 0.0
    for name in TRAININGS:
        found, replays = apart(name, device, count)
        if not found <= CLOSE:
            raise AssertionError(f"{name}: parameters differ by {found:.1e} after {count} steps")
        if not replays:
            raise AssertionError(f"{name}: no step was recorded")
        most = max(most, found)
    return f"{count} steps of {', '.join(TRAININGS)}: parameters within {most:.0e}"


def broken(device: str) -> str:
    """A step that cannot be recorded is taken all the same, and others are recorded after it.

    Raises:
        AssertionError: it is not so.
    """
    if not records_on(torch.device(device)):
        return "no graphs on this device"
    said: list[str] = []
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 1)).train()
    learner = Learner(model, OptimizerConfig(), _runtime(device), "test", "")
    assert learner.graphs is not None
    learner.graphs.on_failure = said.append
    loss = partial(_read, model)
    for _ in range(5):
        learner.update(loss, torch.ones(4, 8, device=device))
    if len(said) != 1 or learner.step != 5 or not learner.mean_loss() < float("inf"):
        raise AssertionError(f"{learner.step} steps of 5; said: {said}")
    found, replays = apart("MLE", device, 10)
    if not (found <= CLOSE and replays):
        raise AssertionError(f"then {replays} steps were recorded; parameters differ by {found}")
    return said[0].partition(":")[0]


def _read(model: nn.Module, inputs: Tensor) -> Tensor:
    """A loss that the host looks at, which no recording allows."""
    loss: Tensor = model(inputs).square().mean()
    return loss * (1.0 + 0.0 * loss.detach().item())


def _runtime(device: str) -> Runtime:
    return Runtime(make_accelerator(device, trackers=()), seed=0)


def _trained(name: str, device: str, count: int, limit: int | None) -> Learner:
    """The learner after so many steps; `limit` is that of its recordings, None the usual one."""
    runtime = _runtime(device)
    seed_everything(1)
    policy = make_generator(LSTM(embedding=8, hidden=8, dropout=0.1), _SPEC, 1)
    real = generate(policy, 40, rng=seeded_generator(2)).to(runtime.device)
    work = TRAININGS[name](runtime, real, policy.to(runtime.device))
    graphs = work.learner.graphs
    assert graphs is not None
    if limit is not None:
        graphs.limit = limit
    work.steps(count)
    if graphs.failed:
        raise AssertionError(f"{name}: no CUDA graph could be recorded")
    return work.learner


@contextmanager
def deterministic(warn_only: bool) -> Iterator[None]:
    """Algorithms that give the same bits each time; others are an error, or a warning."""
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=warn_only)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
