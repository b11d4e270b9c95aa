"""Returns, baselines and advantages: from values [B, T] to what weighs each token's gradient.

Shapes: B sequences, T tokens. `mask` is True at the tokens of a sequence.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = [
    "Baseline",
    "LeaveOneOutBaseline",
    "MeanBaseline",
    "MovingAverageBaseline",
    "NoBaseline",
    "advantages",
    "discounted_returns",
    "make_baseline",
]


def discounted_returns(rewards: Tensor, mask: Tensor, discount: float = 1.0) -> Tensor:
    """``G_t = r_t + discount * G_{t+1}`` (Sutton and Barto 2018, equation 3.9).

    Args:
        rewards: [B, T], one reward a token.
        mask: bool [B, T].
        discount: from 0 to 1.

    Returns:
        [B, T]; 0 after a sequence's end.
    """
    rewards = torch.where(mask, rewards, 0.0)
    returns = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        running = rewards[:, t] + discount * running
        returns[:, t] = running
    return returns


class Baseline(Protocol):
    """``baseline(values [B, T], mask [B, T]) -> [B, T]``, what an action's value is compared to.

    It must not depend on the action it is subtracted from, or the gradient is biased (Williams
    1992).
    """

    def __call__(self, values: Tensor, mask: Tensor) -> Tensor:
        """The baseline of every token."""

    def state_dict(self) -> dict[str, float]:
        """What has to be kept to go on later."""

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Takes up what `state_dict` gave."""


class NoBaseline:
    """0 everywhere, as in the SeqGAN paper's algorithm."""

    def __call__(self, values: Tensor, mask: Tensor) -> Tensor:
        """The baseline of every token."""
        return torch.zeros_like(values)

    def state_dict(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Nothing to take up."""


class MeanBaseline(NoBaseline):
    """At each position the mean of the values of the sequences that reach it.

    A sequence counts in its own baseline, so where n sequences reach a position the expected
    gradient there is (n - 1) / n times the true one, and 0 for a single sequence.
    """

    def __call__(self, values: Tensor, mask: Tensor) -> Tensor:
        """The baseline of every token."""
        weights = mask.to(values.dtype)
        mean = (values * weights).sum(0) / weights.sum(0).clamp(min=1)
        return mean[None, :].expand_as(values)


class LeaveOneOutBaseline(NoBaseline):
    """At each position the mean of the values of the other sequences that reach it: unbiased.

    Where no other sequence reaches a position, it is the mean of the others' values over all
    their tokens; for a batch of one sequence 0. Kool, van Hoof and Welling 2019, "Buy 4 REINFORCE
    samples, get a baseline for free!".
    """

    def __call__(self, values: Tensor, mask: Tensor) -> Tensor:
        """The baseline of every token."""
        weights = mask.to(values.dtype)
        kept = values * weights
        others = kept.sum(0) - kept
        count = weights.sum(0) - weights
        overall = (kept.sum() - kept.sum(1)) / (weights.sum() - weights.sum(1)).clamp(min=1)
        return torch.where(count > 0, others / count.clamp(min=1), overall[:, None])


class MovingAverageBaseline:
    """One number: the exponential moving average of the earlier batches' mean value.

    The current batch does not count, so the gradient is unbiased. It is 0 in the first batch, and
    corrected for that start afterwards (as Adam corrects its moments).

    Args:
        decay: weight of the past in each update, from 0 to below 1.
    """

    def __init__(self, decay: float = 0.9):
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self._average: Tensor | float = 0.0
        self._weight = 0.0

    def __call__(self, values: Tensor, mask: Tensor) -> Tensor:
        """The baseline of every token; then takes the batch into the average."""
        current = self._average / self._weight if self._weight else 0.0
        weights = mask.to(values.dtype)
        mean = (values * weights).sum() / weights.sum().clamp(min=1)
        self._average = self.decay * self._average + (1 - self.decay) * mean.detach()
        self._weight = self.decay * self._weight + (1 - self.decay)
        return torch.zeros_like(values) + current

    def state_dict(self) -> dict[str, float]:
        """The average and the weight it has gathered."""
        return {"average": float(self._average), "weight": self._weight}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Takes up what `state_dict` gave."""
        # A tensor again, so that the next average is rounded as it would have been.
        self._average, self._weight = torch.tensor(state["average"]), state["weight"]


BASELINES = {
    "none": NoBaseline,
    "mean": MeanBaseline,
    "leave_one_out": LeaveOneOutBaseline,
    "moving_average": MovingAverageBaseline,
}


def make_baseline(name: str) -> Baseline:
    """The baseline of that name: none, mean, leave_one_out or moving_average."""
    if name not in BASELINES:
        raise ValueError(f"baseline must be one of {', '.join(BASELINES)}, got {name!r}")
    return BASELINES[name]()


def advantages(
    values: Tensor, mask: Tensor, baseline: Baseline, *, normalize: bool = False
) -> Tensor:
    """``A = Q - b``; 0 after a sequence's end.

    Args:
        values: action values [B, T].
        mask: bool [B, T].
        baseline: what is subtracted.
        normalize: divide by the standard deviation over the batch's tokens (as PPO codes do; it
            changes the size of a step, and a batch's noise with it).

    Returns:
        [B, T], without gradient.
    """
    result = torch.where(mask, values - baseline(values, mask), 0.0)
    if normalize:
        count = mask.sum().clamp(min=1)
        mean = result.sum() / count
        variance = torch.where(mask, (result - mean) ** 2, 0.0).sum() / count
        result = result / (variance.sqrt() + 1e-8)
    return result.detach()
