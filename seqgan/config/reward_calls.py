"""Sequences that a run judges by a reward of the user's own: in training, validation, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .algorithms import PolicyGradient

if TYPE_CHECKING:
    from .run import RunConfig

__all__ = [
    "EXPLAINED", "MOST_CALLS", "PlannedCalls", "VerdictCalls", "announced", "planned_calls",
    "verdict_calls",
]  # fmt: skip

MOST_CALLS = 200_000
"""Samples that the best of n is taken from, at most."""
EXPLAINED = 6
"""Samples that the report explains: half with the highest rewards, half with the lowest."""


@dataclass(frozen=True)
class PlannedCalls:
    """The budget of `--reward.calls` and its parts.

    At most half of it is for the choice of the state on validation, the rest for training.

    Attributes:
        training: sequences that may be judged in training; 0: no limit.
        validation: samples per measurement on validation.
        measurements: on validation, if the rounds are not ended early.
        before: those of them that come before the rounds: the shape "standardise" measures by one.
    """

    training: int
    validation: int
    measurements: int
    before: int = 0


@dataclass(frozen=True)
class VerdictCalls:
    """Sequences that the verdict may judge.

    Attributes:
        samples: of each model.
        rivals: sequences for each of the two rivals: the best of n, and MLE on the best tenth.
        explaining: samples without one of their tokens, which the report explains them by.
    """

    samples: int
    rivals: int
    explaining: int = 0

    @property
    def total(self) -> int:
        """All of it: samples of MLE, of MLE on the best tenth and of the fine-tuned model too."""
        return 3 * self.samples + 2 * self.rivals + self.explaining


def planned_calls(config: RunConfig) -> PlannedCalls:
    """The parts of the budget; validation judges by the reward only where the verdict does."""
    rounds, budget = config.adversarial, config.reward.calls
    if not any(term.objective for term in config.every_term()):
        budget = 0
    samples = config.evaluation.sweep_samples
    measured = 1 + -(-rounds.rounds // rounds.measure_every)
    if not config.for_objective:
        return PlannedCalls(budget, samples, measured)
    before = int(any(term.shape == "standardise" for term in config.rewards))
    measured += before
    if not budget:
        return PlannedCalls(0, samples, measured, before)
    samples = min(samples, max(1, budget // (2 * measured)))
    return PlannedCalls(max(1, budget - measured * samples), samples, measured, before)


def verdict_calls(config: RunConfig, calls: int, length: int = 0) -> VerdictCalls:
    """The sequences that the verdict judges after `calls` for the model itself.

    Half of `--reward.verdict_calls` at most is for the samples of the models, half of what is left
    for each rival. Of samples of at most `length` tokens none is left out (and with 0 no sample is
    explained) if that takes more than a tenth of it.
    """
    samples, rivals, limit = config.evaluation.num_samples, calls, config.reward.verdict_calls
    explaining = EXPLAINED * length
    if limit:
        explaining = explaining if explaining <= limit // 10 else 0
        samples = min(samples, limit // 6)
        rivals = min(rivals, (limit - 3 * samples - explaining) // 2)
    return VerdictCalls(samples, min(rivals, MOST_CALLS), explaining)


def announced(config: RunConfig, length: int, training: int) -> str:
    """A line about a run before it begins; `length` and `training` as `AlgorithmConfig.judged`."""
    planned, rounds = planned_calls(config), config.adversarial
    steps = config.algorithm.judged(rounds.rounds * rounds.generator_steps, length, training)
    steps = min(steps, planned.training or steps)
    chosen = planned.measurements * planned.validation
    verdict = verdict_calls(config, steps + chosen, length)
    explaining = f", {verdict.explaining:,} to explain samples" if verdict.explaining else ""
    return (
        f"Reward: {_how(config)}; about {steps:,} calls at most in training, "
        f"{chosen:,} to choose the state ({planned.measurements} measurements), "
        f"{verdict.total - verdict.explaining:,} for the verdict{explaining}; --reward.calls "
        "bounds the first two, --reward.verdict_calls the rest"
    )


def _how(config: RunConfig) -> str:
    """The method, and the rollouts where there may be any."""
    method, algorithm = f"method {config.method}", config.algorithm
    if not isinstance(algorithm, PolicyGradient):
        return f"{method}, algorithm {getattr(algorithm, algorithm.selector)}"
    if algorithm.rollouts:
        return f"{method}, {algorithm.rollouts} rollouts of every prefix"
    return f"{method}, no rollouts (--algorithm.rollouts N judges N completions of every prefix)"
