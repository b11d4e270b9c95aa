"""Sequences that a run judges by a reward of the user's own: in training, validation, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import RunConfig

__all__ = [
    "MOST_CALLS", "PlannedCalls", "VerdictCalls", "announced", "planned_calls", "verdict_calls",
]  # fmt: skip

MOST_CALLS = 200_000
"""Samples that the best of n is taken from, at most."""


@dataclass(frozen=True)
class PlannedCalls:
    """The budget of `--reward.calls` and its parts.

    At most half of it is for the choice of the state on validation, the rest for training.

    Attributes:
        training: sequences that may be judged in training; 0: no limit.
        validation: samples per measurement on validation.
        measurements: on validation, if the rounds are not ended early.
    """

    training: int
    validation: int
    measurements: int


@dataclass(frozen=True)
class VerdictCalls:
    """Sequences that the verdict may judge.

    Attributes:
        samples: of each model.
        rivals: sequences for each of the two rivals: the best of n, and MLE on the best tenth.
    """

    samples: int
    rivals: int

    @property
    def total(self) -> int:
        """All of it: samples of MLE, of MLE on the best tenth and of the fine-tuned model too."""
        return 3 * self.samples + 2 * self.rivals


def planned_calls(config: RunConfig) -> PlannedCalls:
    """The parts of the budget; validation judges by the reward only where the verdict does."""
    rounds, budget = config.adversarial, config.reward.calls
    if not any(term.objective for term in config.every_term()):
        budget = 0
    samples = config.evaluation.sweep_samples
    measured = 1 + -(-rounds.rounds // rounds.measure_every)
    if not config.for_objective:
        return PlannedCalls(budget, samples, measured)
    if not budget:
        return PlannedCalls(0, samples, measured)
    samples = min(samples, max(1, budget // (2 * measured)))
    return PlannedCalls(max(1, budget - measured * samples), samples, measured)


def verdict_calls(config: RunConfig, calls: int) -> VerdictCalls:
    """The sequences that the verdict judges after `calls` for the model itself.

    Half of `--reward.verdict_calls` at most is for the samples of the models, half of what is left
    for each rival.
    """
    samples, rivals, limit = config.evaluation.num_samples, calls, config.reward.verdict_calls
    if limit:
        samples = min(samples, limit // 6)
        rivals = min(rivals, (limit - 3 * samples) // 2)
    return VerdictCalls(samples, min(rivals, MOST_CALLS))


def announced(config: RunConfig, length: int, training: int) -> str:
    """A line about a run before it begins: its method, and the calls of its reward.

    Args:
        config: all settings.
        length: tokens of the longest sequence.
        training: training sequences, or the most samples that are drawn at once.
    """
    planned, rounds = planned_calls(config), config.adversarial
    steps = config.algorithm.judged(rounds.rounds * rounds.generator_steps, length, training)
    steps = min(steps, planned.training or steps)
    chosen = planned.measurements * planned.validation
    rollouts = config.algorithm.as_policy_gradient().rollouts
    how = (
        f"{rollouts} rollouts of every prefix"
        if rollouts
        else "no rollouts (--algorithm.rollouts N judges N completions of every prefix)"
    )
    return (
        f"Reward: method {config.method}, {how}; about {steps:,} calls at most in training, "
        f"{chosen:,} to choose the state ({planned.measurements} measurements), "
        f"{verdict_calls(config, steps + chosen).total:,} for the verdict; --reward.calls bounds "
        "the first two, --reward.verdict_calls the last"
    )
