"""A reward of the user's own as the measure of models.

Shapes: N samples, K terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

import rollout
from rollout import Policy, Reward, Sequences, constrained
from rollout.rewards import checked_values, reward_values

from ..config import EvaluationConfig
from ..data.dataset import Dataset
from ..data.prompts import Prompts, Questions
from ..errors import RewardError
from ..metrics import copied_share, unique_share
from ..metrics.likelihood import SequenceScores, sequence_scores, token_nll
from ..models import Generator
from ..rewards.terms import Terms, of_sequences
from ..seeding import rng_for
from ..training.sampling import draw
from .reward_rows import Rewarded, RewardRow, mean_row

__all__ = ["Objective", "centre_on_mle"]

CHUNK = 1_024
"""Sequences that are judged at once."""


class Objective:
    """A reward by which models are measured.

    Args:
        reward: made anew, so that no budget of the training is spent.
        mle: the pretrained policy; the shape "standardise" measures by its samples.
        data: the data set.
        config: sample counts, confidence.
        seed: of the samples.
        validation: samples of a measurement on validation; 0: as the sweep has.
        advice: ends the message about a reward that fails.
    """

    def __init__(
        self,
        reward: Reward,
        mle: Generator,
        data: Dataset,
        config: EvaluationConfig,
        seed: int,
        validation: int = 0,
        advice: Callable[[], str] = lambda: "",
    ):
        self.advice, self.validation = advice, validation or config.sweep_samples
        self.reward, self.mle, self.data, self.config = reward, mle, data, config
        self.seed = seed

    def settle(self) -> None:
        """Lets the shape "standardise" measure by samples of MLE, unless it does already."""
        given = (self.reward, self.mle, self.data, self.validation, self.seed)
        self._told(partial(centre_on_mle, *given))

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: what the shape "standardise" measures by."""
        return {"centres": self.reward.centres if isinstance(self.reward, Terms) else []}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores it."""
        if isinstance(self.reward, Terms):
            self.reward.centres = state["centres"]

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
        return _samples(policy, self.data, self.seed, purpose, count, prompts)

    def scores(self, policy: Policy, samples: Sequences) -> SequenceScores:
        """Log-probability and entropy of samples of a model, under the constraint if any."""
        return sequence_scores(constrained(policy, self.data.constraint), samples)

    def questions(self, count: int) -> Questions:
        """The questions of the verdict, out of the test split: the same for all models."""
        rng = rng_for(self.seed, "objective", "questions")
        condition = self.data.prompts("test").draw(count, rng).condition
        return Questions(condition=condition)

    def judged(self, sequences: Sequences) -> Rewarded:
        """The rewards of the sequences, and what each term says of them; all are judged once."""
        parts = [self._told(partial(self._judged, part)) for part in sequences.split(CHUNK)]
        total = [part.total for part in parts]
        terms = {name: [part.terms[name] for part in parts] for name in parts[0].terms}
        return Rewarded(
            np.concatenate(total), {name: np.concatenate(each) for name, each in terms.items()}
        )

    def validate(self, policy: Policy) -> dict[str, float]:
        """Measures a policy on fresh samples.

        Returns:
            "score", minus the mean "reward"; "nll" of validation and the own "entropy".
        """
        samples = self.samples(policy, "validation", self.validation)
        mean = float(self.judged(samples).total.mean())
        own = self.scores(policy, samples)
        device = samples.device
        return {
            "score": -mean,
            "reward": mean,
            "nll": token_nll(policy, self.data.validation.to(device)),
            "entropy": float(own.entropy.sum() / own.tokens.sum()),
        }

    def row(
        self, name: str, samples: Sequences, policy: Policy, calls: int,
        found: Rewarded | None = None,
    ) -> RewardRow:  # fmt: skip
        """The row of a model, by samples of its own.

        Args:
            name: of the row.
            samples: of the model.
            policy: the model.
            calls: sequences that were judged to make it.
            found: the rewards of the samples, if they are known.
        """
        own = self.scores(policy, samples).log_prob
        kl = float((own - self.scores(self.mle, samples).log_prob).mean())
        found = self.judged(samples) if found is None else found
        return self.described(name, samples, found, kl, calls)

    def described(
        self, name: str, samples: Sequences, found: Rewarded, kl: float, calls: int
    ) -> RewardRow:
        """The row of samples that were judged."""
        rows = samples.to_lists()
        unique, novel = unique_share(rows), 1 - copied_share(rows, self.training)
        row = mean_row(name, found.total, unique, novel, kl, calls, self.config.confidence)
        return replace(row, terms=found.means())

    def _judged(self, sequences: Sequences) -> Rewarded:
        reward = self.reward
        if not isinstance(reward, Terms):
            return Rewarded(_numbers(reward_values(reward, sequences)))
        each = reward.judge(sequences)
        total = checked_values(reward, sequences, reward.joined(sequences, each))
        names = [term.name for term in reward.terms]
        terms = dict(zip(names, map(_numbers, each), strict=True))
        return Rewarded(_numbers(total), terms)

    def _told(self, judge: Callable[[], Any]) -> Any:
        try:
            return judge()
        except rollout.RewardError as error:
            raise RewardError(f"the reward: {error}{self.advice()}") from error


def centre_on_mle(reward: Reward, mle: Policy, data: Dataset, count: int, seed: int) -> None:
    """Lets the shape "standardise" measure by samples of the pretrained policy.

    Args:
        reward: nothing is judged if none of its terms has that shape, or all that have it measure
            by some samples already.
        mle: the pretrained policy.
        data: the data set.
        count: samples.
        seed: of the samples.
    """
    if isinstance(reward, Terms) and not reward.centred:
        drawn = _samples(mle, data, seed, "objective", count)
        reward.begin([of_sequences(each) for each in reward.judge(drawn)])


def _samples(
    policy: Policy, data: Dataset, seed: int, purpose: str, count: int,
    prompts: Prompts | None = None,
) -> Sequences:  # fmt: skip
    rng = rng_for(seed, "objective", purpose)
    asked = data.prompts("validation") if prompts is None else prompts
    return draw(constrained(policy, data.constraint), count, rng, asked).sequences


def _numbers(values: torch.Tensor) -> np.ndarray:
    """Values of sequences [N]; those of tokens are summed."""
    found: np.ndarray = of_sequences(values).cpu().double().numpy()
    return found
