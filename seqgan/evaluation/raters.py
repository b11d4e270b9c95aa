"""Raters for explanations: a number for a sequence, and the share that each token has in it.

A run's rater is its discriminator. Without one it is the density ratio that the run trains for, a
sum over tokens; and if the reward is the user's own, that reward of whole sequences.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from rollout import Reward, Sequences
from rollout.modules import evaluating
from rollout.rewards import reward_values

from ..data.dataset import Dataset
from ..models import Discriminator
from ..models.discriminators.base import Window, sequence_log_odds
from ..rewards.ratio import RatioReward
from ..rewards.terms import of_sequences
from .attribution import integrated_gradients, left_out, occlusion, training_baseline

__all__ = [
    "KINDS", "DiscriminatorRater", "Kind", "Rater", "RatioRater", "RewardRater", "reward_rater",
]  # fmt: skip


class Kind(NamedTuple):
    """Words for a rater's numbers.

    Attributes:
        name: of the number of a sequence.
        whole: the same in full.
        above: what a token with a share above 0 does.
        below: what one with a share below 0 does.
        share: title of the shares.
        meaning: of a share.
    """

    name: str
    whole: str
    above: str
    below: str
    share: str
    meaning: str


REPLACED = "lost if the token is replaced by an average one"
KINDS = {
    "log_odds": Kind(
        "log-odds", "log-odds of being real, by the discriminator", "speaks for real",
        "speaks for generated", "occlusion", f"log-odds that are {REPLACED}",
    ),
    "score": Kind(
        "score", "score by the discriminator, which is no log-odds", "raises the score",
        "lowers the score", "occlusion", f"score that is {REPLACED}",
    ),
    "log_ratio": Kind(
        "log ratio", "log ratio of the reward's density to the model's", "is too rare in the model",
        "is too frequent in the model", "log ratio",
        "log-probability of the token under the reward's density, minus that under the model",
    ),
    "reward": Kind(
        "reward", "reward of the run", "raises the reward", "lowers the reward", "left out",
        "reward that is lost if the token is left out",
    ),
}  # fmt: skip


class Rater(ABC):
    """Gives sequences a number, and tokens their shares in it.

    Attributes:
        kind: a key of `KINDS`.
    """

    kind: str

    @abstractmethod
    def __call__(self, sequences: Sequences) -> Tensor:
        """Numbers [B] of whole sequences."""

    @abstractmethod
    def shares(self, sequences: Sequences, numbers: Tensor) -> dict[str, Tensor]:
        """``shares`` [B, T] of the tokens, 0 after a sequence's end, and perhaps ``gradients``.

        Empty where tokens have no shares. `numbers` [B] are those of the whole sequences.
        """

    def windows(self, sequences: Sequences) -> list[list[Window]]:
        """The windows of tokens that the numbers rest on; empty for most raters."""
        return [[] for _ in range(len(sequences))]


class DiscriminatorRater(Rater):
    """A discriminator: occlusion, and integrated gradients if it reads tokens.

    Args:
        model: the discriminator.
        baseline: embedding [E] that stands for any token; None: it reads texts.
        calibrated: if its logits are log-odds.
    """

    def __init__(self, model: Discriminator, baseline: Tensor | None, calibrated: bool = True):
        self.model, self.baseline = model, baseline
        self.kind = "log_odds" if calibrated else "score"
        self._logits = sequence_log_odds(model)

    @classmethod
    def of(cls, model: Discriminator, data: Dataset, calibrated: bool) -> DiscriminatorRater:
        """A run's discriminator.

        Args:
            model: the discriminator.
            data: the data set; the mean embedding of its training tokens stands for any token.
            calibrated: if its logits are log-odds (see `models.gan_losses.calibrated`).
        """
        return cls(model, training_baseline(model, data), calibrated)

    def __call__(self, sequences: Sequences) -> Tensor:
        """Logits [B]."""
        return self._logits(sequences)

    def shares(self, sequences: Sequences, numbers: Tensor) -> dict[str, Tensor]:
        """Occlusion and integrated gradients."""
        with evaluating(self.model):
            if self.baseline is None:
                return {"shares": left_out(self._logits, sequences, numbers)}
            return {
                "shares": occlusion(self.model, sequences, self.baseline),
                "gradients": integrated_gradients(self.model, sequences, self.baseline),
            }

    def windows(self, sequences: Sequences) -> list[list[Window]]:
        """Windows of a convolution."""
        with evaluating(self.model):
            return self.model.windows(sequences)


class RatioRater(Rater):
    """The density ratio: the number of a sequence is exactly the sum of its tokens'.

    Args:
        reward: the ratio per token.
    """

    kind = "log_ratio"

    def __init__(self, reward: RatioReward):
        self.reward = reward

    def __call__(self, sequences: Sequences) -> Tensor:
        """Log ratios [B]."""
        return self.reward(sequences).sum(1)

    def shares(self, sequences: Sequences, numbers: Tensor) -> dict[str, Tensor]:
        """The log ratio of each token."""
        return {"shares": self.reward(sequences)}


class RewardRater(Rater):
    """A reward of whole sequences: a token's share is what is lost without it.

    Args:
        reward: the reward.
        fixed: no token is left out: all sequences have one length, or it would cost too much.
    """

    kind = "reward"

    def __init__(self, reward: Reward, fixed: bool = False):
        self.reward, self.fixed = reward, fixed

    @torch.no_grad()
    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B]."""
        return of_sequences(reward_values(self.reward, sequences))

    def shares(self, sequences: Sequences, numbers: Tensor) -> dict[str, Tensor]:
        """Rewards that are lost."""
        return {} if self.fixed else {"shares": left_out(self, sequences, numbers)}


def reward_rater(reward: Reward, data: Dataset, *, whole: bool = False) -> Rater:
    """The reward of a run without a discriminator as its rater.

    Args:
        reward: the reward.
        data: the data set.
        whole: no token is left out, which would be calls of the reward.
    """
    if isinstance(reward, RatioReward):
        return RatioRater(reward)
    return RewardRater(reward, fixed=whole or data.spec.eos_id is None)
