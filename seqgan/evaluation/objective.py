"""The verdict of a run that is trained for a reward of the user's own, without a discriminator.

The primary metric is the mean reward of fresh samples. MLE may spend as many reward calls as
training did: on the best of n of its samples, or on the best tenth of the training data, on which
it is trained further. Uniqueness, novelty and the divergence from MLE stand beside it: a policy
that repeats one good sequence has a high reward too.

Shapes: N samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from scipy.stats import norm

import rollout
from rollout import Policy, Reward, Sequences, constrained
from rollout.modules import own_copy
from rollout.rewards import reward_values

from ..config import EvaluationConfig, PretrainConfig, RunConfig
from ..data.dataset import Dataset
from ..data.prompts import Prompts, Questions
from ..errors import RewardError
from ..metrics import copied_share, unique_share
from ..metrics.likelihood import SequenceScores, sequence_scores, token_nll
from ..models import Generator
from ..rewards.terms import Terms, of_sequences
from ..seeding import rng_for
from ..training.pretrain import Pretraining
from ..training.runtime import Runtime
from ..training.sampling import draw
from .significance import relation

__all__ = ["Objective", "ObjectiveVerdict", "RewardRow", "mean_row", "verdict_of"]

CHUNK = 1_024
"""Sequences that are judged at once."""
MOST_CALLS = 200_000
"""Samples that the best of n is taken from, at most."""
LEAST_SAMPLES = 500
"""Samples of each model below which a run shows only that everything works."""
EPOCHS = 20
"""On the best tenth of the training data, at most; early stopping ends them sooner."""
TITLES = {
    "mle": "MLE",
    "best-of-n": "best of n of MLE",
    "best-tenth": "MLE on the best tenth",
    "finetuned": "fine-tuned",
}


@dataclass(frozen=True)
class RewardRow:
    """A model's samples by their reward.

    Attributes:
        name: key of `TITLES`.
        reward: mean.
        error: standard error of the mean.
        low: end of the interval.
        high: the other end.
        unique: share of distinct samples.
        novel: share of samples that are no training sequence.
        kl: divergence from MLE, nats per sequence; of the best of n an upper bound.
        calls: sequences that were judged to make the model, its samples not counted.
        terms: mean value of each term, neither weighted nor shaped, of several terms.
    """

    name: str
    reward: float
    error: float
    low: float
    high: float
    unique: float
    novel: float
    kl: float
    calls: int
    terms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectiveVerdict:
    """The fine-tuned model against what MLE gets for as many reward calls.

    Attributes:
        label: better, not distinguishable, worse, not comparable, too small to judge.
        sentence: the reasons.
        rows: of all models.
        n: of the best of n.
    """

    label: str
    sentence: str
    rows: list[RewardRow]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self)


class Objective:
    """A reward by which models are measured.

    Args:
        reward: made anew, so that no budget of the training is spent.
        mle: the pretrained policy; the shape "standardise" measures by its samples.
        data: the data set.
        config: sample counts, confidence.
        seed: of the samples.
        advice: ends the message about a reward that fails.
    """

    def __init__(
        self,
        reward: Reward,
        mle: Generator,
        data: Dataset,
        config: EvaluationConfig,
        seed: int,
        advice: Callable[[], str] = lambda: "",
    ):
        self.advice = advice
        self.reward, self.mle, self.data, self.config = reward, mle, data, config
        self.seed = seed
        if isinstance(reward, Terms):
            drawn = self.samples(mle, "objective", config.sweep_samples)
            values = self._told(lambda: [of_sequences(each) for each in reward.judge(drawn)])
            reward.begin(values)

    @cached_property
    def training(self) -> list[list[int]]:
        """The training sequences, which samples may be copied from."""
        return self.data.train.to_lists()

    def samples(
        self, policy: Policy, purpose: str, count: int, prompts: Prompts | None = None
    ) -> Sequences:
        """Samples of a model as they are, temperature 1.

        Args:
            policy: the model.
            purpose: of the random numbers.
            count: how many.
            prompts: what is asked for; None: as in validation.
        """
        rng = rng_for(self.seed, "objective", purpose)
        asked = self.data.prompts("validation") if prompts is None else prompts
        return draw(constrained(policy, self.data.constraint), count, rng, asked).sequences

    def scores(self, policy: Policy, samples: Sequences) -> SequenceScores:
        """Log-probability and entropy of samples of a model, under the constraint if any."""
        return sequence_scores(constrained(policy, self.data.constraint), samples)

    def questions(self, count: int) -> Questions:
        """The questions of the verdict, out of the test split: the same for all models."""
        rng = rng_for(self.seed, "objective", "questions")
        condition = self.data.prompts("test").draw(count, rng).condition
        return Questions(condition=condition)

    def rewards(self, sequences: Sequences) -> np.ndarray:
        """Rewards [N] of the sequences."""
        parts = [self._told(partial(self._total, part)) for part in sequences.split(CHUNK)]
        return torch.cat(parts).cpu().double().numpy()

    def terms(self, sequences: Sequences) -> dict[str, float]:
        """The mean value of each term, neither weighted nor shaped; empty for a single one."""
        if not isinstance(self.reward, Terms):
            return {}
        totals: dict[str, list[float]] = {term.name: [] for term in self.reward.terms}
        for part in sequences.split(CHUNK):
            for term in self.reward.terms:
                values = self._told(partial(term.values, part))
                values = values if values.ndim == 1 else values.sum(1)
                totals[term.name] += values[~values.isnan()].tolist()
        return {name: float(np.mean(found)) for name, found in totals.items() if found}

    def validate(self, policy: Policy) -> dict[str, float]:
        """Measures a policy on fresh samples.

        Returns:
            "score", minus the mean "reward"; "nll" of validation and the own "entropy".
        """
        samples = self.samples(policy, "validation", self.config.sweep_samples)
        mean = float(self.rewards(samples).mean())
        own = self.scores(policy, samples)
        device = samples.device
        return {
            "score": -mean,
            "reward": mean,
            "nll": token_nll(policy, self.data.validation.to(device)),
            "entropy": float(own.entropy.sum() / own.tokens.sum()),
        }

    def _total(self, sequences: Sequences) -> torch.Tensor:
        values = reward_values(self.reward, sequences)
        return of_sequences(values)

    def _told(self, judge: Callable[[], Any]) -> Any:
        try:
            return judge()
        except rollout.RewardError as error:
            raise RewardError(f"the reward: {error}{self.advice()}") from error


def verdict_of(
    objective: Objective,
    finetuned: Generator,
    calls: int,
    config: RunConfig,
    runtime: Runtime,
    unfit: str = "",
) -> ObjectiveVerdict:
    """Compares the fine-tuned model with what MLE gets for as many reward calls.

    Args:
        objective: measures models; has the pretrained policy.
        finetuned: the model.
        calls: sequences that were judged for it: in its training, and to choose its state.
        config: all settings.
        runtime: device, seed.
        unfit: what is wrong with MLE's training, or "".
    """
    count, mle = config.evaluation.num_samples, objective.mle
    asked = objective.questions(count)
    samples = objective.samples(mle, "mle", count, asked)
    rows = [_row(objective, "mle", samples, mle, 0)]
    n = max(1, min(calls, MOST_CALLS) // count)
    if n > 1:
        rows.append(_best_of(objective, n, count, asked))
    tenth, judged = _trained_on_best(objective, calls, config.pretrain, runtime)
    own = objective.samples(tenth, "best-tenth", count, asked)
    rows.append(_row(objective, "best-tenth", own, tenth, judged))
    own = objective.samples(finetuned, "finetuned", count, asked)
    found = _row(objective, "finetuned", own, finetuned, calls)
    rival = max(rows, key=lambda row: row.reward)
    label, sentence = _compared(found, rival, config.evaluation.confidence)
    if calls > MOST_CALLS and label == "better":
        label = "not comparable"
        sentence += (
            f" The best of n had {n * count:,} of {calls:,} reward calls, so that is not better."
        )
    if unfit:
        sentence += f" {unfit}"
        label = "not comparable" if label == "better" else label
    if count < LEAST_SAMPLES:
        label = "too small to judge"
    return ObjectiveVerdict(label, sentence, [*rows, found], n)


def mean_row(
    name: str, rewards: np.ndarray, unique: float, novel: float, kl: float, calls: int,
    confidence: float,
) -> RewardRow:  # fmt: skip
    """A row from the rewards [N] of samples, with a normal interval of the mean."""
    mean = float(rewards.mean())
    error = float(rewards.std(ddof=1)) / math.sqrt(len(rewards))
    reach = float(norm.ppf(0.5 + confidence / 2)) * error
    return RewardRow(name, mean, error, mean - reach, mean + reach, unique, novel, kl, calls)


def _row(
    objective: Objective, name: str, samples: Sequences, policy: Policy, calls: int
) -> RewardRow:
    own = objective.scores(policy, samples).log_prob
    kl = float((own - objective.scores(objective.mle, samples).log_prob).mean())
    return _described(objective, name, samples, objective.rewards(samples), kl, calls)


def _described(
    objective: Objective, name: str, samples: Sequences, rewards: np.ndarray, kl: float, calls: int
) -> RewardRow:
    rows = samples.to_lists()
    unique, novel = unique_share(rows), 1 - copied_share(rows, objective.training)
    confidence = objective.config.confidence
    row = mean_row(name, rewards, unique, novel, kl, calls, confidence)
    return replace(row, terms=objective.terms(samples))


def _best_of(objective: Objective, n: int, count: int, asked: Questions) -> RewardRow:
    """The best of n samples of MLE for each of `count` questions.

    Its divergence from MLE is at most ``log n - (n - 1) / n`` (Beirami et al. 2024).
    """
    kept: list[list[int]] = []
    rewards: list[float] = []
    for number in range(n):  # the best so far of `count` samples each
        samples = objective.samples(objective.mle, f"best-of-n-{number}", count, asked)
        found = objective.rewards(samples)
        if not kept:
            kept, rewards = samples.to_lists(), [*found]
            continue
        for i, (row, value) in enumerate(zip(samples.to_lists(), found, strict=True)):
            if value > rewards[i]:
                kept[i], rewards[i] = row, value
    best = Sequences.from_lists(kept, objective.data.spec.pad_id)
    kl = math.log(n) - (n - 1) / n
    return _described(objective, "best-of-n", best, np.array(rewards), kl, n * count)


def _trained_on_best(
    objective: Objective, calls: int, config: PretrainConfig, runtime: Runtime
) -> tuple[Generator, int]:
    """MLE trained further on the best tenth of the data that the calls pay for.

    A fifth of the calls goes to validation sequences, by which the state is chosen.
    """
    data, device = objective.data, runtime.device
    held = min(len(data.validation), max(20, calls // 5))
    rng = rng_for(objective.seed, "objective", "train")
    order = torch.randperm(len(data.train), generator=rng)[: max(20, calls - held)]
    model = own_copy(objective.mle).requires_grad_(True)
    splits = [data.train.select(order), data.validation.select(slice(0, held))]
    best = []
    for split in splits:
        rewards = objective.rewards(split.to(device))
        count = max(2, len(split) // 10)
        best.append(split.select(torch.from_numpy(np.argsort(-rewards, kind="stable")[:count])))
    settings = replace(config, epochs=EPOCHS, early_stopping=True, epoch_steps=0)
    train, validation = best
    work = Pretraining(model, train, validation, settings, runtime.apart(), "best-tenth")
    work.run("MLE on the best tenth", "MLE on the best tenth")
    return model, sum(len(split) for split in splits)


def _compared(found: RewardRow, rival: RewardRow, confidence: float) -> tuple[str, str]:
    """The label, and a sentence."""
    difference = found.reward - rival.reward
    reach = float(norm.ppf(0.5 + confidence / 2)) * math.hypot(found.error, rival.error)
    label = "not distinguishable"
    if abs(difference) > reach:
        label = "better" if difference > 0 else "worse"
    return label, (
        f"The fine-tuned model is {relation(label)} {TITLES[rival.name]}, the best that MLE gets "
        f"for as many reward calls: mean reward {found.reward:.4f} against {rival.reward:.4f}, "
        f"difference {difference:+.4f}, {confidence:.0%} interval [{difference - reach:+.4f}, "
        f"{difference + reach:+.4f}] over samples, one training seed; higher is better. "
        f"Distinct samples: {found.unique:.1%} against {rival.unique:.1%}."
    )
