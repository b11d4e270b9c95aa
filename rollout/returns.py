"""Returns, baselines and advantages: from rewards or values [B, T] to the weight of each token.

Shapes: B sequences, T tokens. `mask` is True at the tokens of a sequence. Equal numbers in `groups`
mark sequences that are compared with each other only, such as the answers to one prompt.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .shapes import check_rows, check_tokens

__all__ = [
    "BASELINES",
    "Baseline",
    "LeaveOneOutBaseline",
    "MeanBaseline",
    "MovingAverageBaseline",
    "NoBaseline",
    "advantages",
    "discounted_returns",
    "gae",
    "make_baseline",
    "same_group",
]


def discounted_returns(rewards: Tensor, mask: Tensor, discount: float = 1.0) -> Tensor:
    """Returns to go, ``G_t = r_t + discount * G_{t+1}`` (Sutton and Barto 2018, equation 3.9).

    Args:
        rewards: [B, T], one reward per token.
        mask: bool [B, T].
        discount: from 0 to 1.

    Returns:
        [B, T]; 0 after a sequence's end.

    Raises:
        ValueError: a tensor is not [B, T].
    """
    check_tokens(mask, rewards=rewards)
    rewards = torch.where(mask, rewards, 0.0)
    returns = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        running = rewards[:, t] + discount * running
        returns[:, t] = running
    return returns


def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    discount: float = 1.0,
    decay: float = 0.95,
    bootstrap: Tensor | None = None,
) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2016, equation 16).

    ``A_t = delta_t + discount * decay * A_{t+1}`` with
    ``delta_t = r_t + discount * V_{t+1} - V_t``. With decay 1 it is the return minus the value,
    with decay 0 the error of one step. ``A + V`` is the target to train the values with.

    Args:
        rewards: [B, T], one reward per token; r_t follows token t.
        values: [B, T]; V_t is the value of the prefix before token t.
        mask: bool [B, T].
        discount: from 0 to 1.
        decay: the paper's lambda, from 0 to 1.
        bootstrap: [B], the value after a sequence's last token: 0 where the sequence has ended by
            itself (EOS), the value of the whole prefix where a limit cut it. None: all 0.

    Returns:
        [B, T], without gradient; 0 after a sequence's end.

    Raises:
        ValueError: a tensor is not of the shape above, or a factor is outside [0, 1].
    """
    check_tokens(mask, rewards=rewards, values=values)
    for name, factor in (("discount", discount), ("decay", decay)):
        if not 0 <= factor <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {factor}")
    rewards, values = rewards.detach(), values.detach()
    following = torch.zeros_like(values[:, 0])
    if bootstrap is not None:
        check_rows(len(mask), bootstrap=bootstrap)
        following = bootstrap.detach().to(values.dtype)
    result = torch.zeros_like(values)
    running = torch.zeros_like(values[:, 0])
    for t in range(values.shape[1] - 1, -1, -1):
        inside = mask[:, t]
        delta = rewards[:, t] + discount * following - values[:, t]
        running = torch.where(inside, delta + discount * decay * running, 0.0)
        following = torch.where(inside, values[:, t], following)
        result[:, t] = running
    return result


def same_group(count: int, groups: Tensor, device: torch.device) -> Tensor:
    """Bool [B, B], True where two sequences belong to one group.

    A table instead of sorting or scattering: it needs no look at the numbers, and its sums do not
    depend on an order that a GPU chooses.

    Args:
        count: B.
        groups: [B], equal numbers for the sequences of a group.
        device: of the table.

    Raises:
        ValueError: `groups` is not [B].
    """
    check_rows(count, groups=groups)
    groups = groups.to(device)
    return groups[:, None] == groups[None, :]


class Baseline(Protocol):
    """``baseline(values [B, T], mask [B, T], groups) -> [B, T]``, subtracted from the values.

    It must not depend on the action it is subtracted from, or the gradient is biased (Williams
    1992).
    """

    def __call__(self, values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
        """Baseline of every token.

        Args:
            values: [B, T].
            mask: bool [B, T].
            groups: int64 [B], equal numbers for the sequences of a group; None: one group.
        """

    def state_dict(self) -> dict[str, float]:
        """State for a checkpoint."""

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restores it."""


class NoBaseline:
    """0 everywhere, as in the SeqGAN paper's algorithm."""

    def __call__(self, values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
        """Baseline of every token."""
        check_tokens(mask, values=values)
        return torch.zeros_like(values)

    def state_dict(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Nothing to restore."""


class MeanBaseline(NoBaseline):
    """Mean, per position, of the values of the group's sequences that reach it.

    A sequence counts in its own baseline, so where n sequences reach a position the expected
    gradient there is (n - 1) / n times the true one, and 0 for a single sequence. With groups it is
    the baseline of GRPO (Shao et al. 2024, section 4.1.2).
    """

    def __call__(self, values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
        """Baseline of every token."""
        check_tokens(mask, values=values)
        weights, kept = mask.to(values.dtype), torch.where(mask, values, 0.0)
        if groups is None:
            mean = kept.sum(0) / weights.sum(0).clamp(min=1)
            return mean[None, :].expand_as(values)
        group = same_group(len(values), groups, values.device).to(values.dtype)
        return (group @ kept) / (group @ weights).clamp(min=1)


class LeaveOneOutBaseline(NoBaseline):
    """Mean, per position, of the values of the group's other sequences that reach it: unbiased.

    If no other sequence of the group reaches a position, the baseline is the mean of the others'
    values over all their tokens; for a group of one sequence it is 0. Kool, van Hoof and Welling
    2019, "Buy 4 REINFORCE samples, get a baseline for free!"; with groups it is RLOO (Ahmadian et
    al. 2024).
    """

    def __call__(self, values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
        """Baseline of every token."""
        check_tokens(mask, values=values)
        weights, kept = mask.to(values.dtype), torch.where(mask, values, 0.0)
        if groups is None:
            others, count = kept.sum(0) - kept, weights.sum(0) - weights
            every, tokens = kept.sum() - kept.sum(1), weights.sum() - weights.sum(1)
        else:
            group = same_group(len(values), groups, values.device)
            rest = group.fill_diagonal_(False).to(values.dtype)
            others, count = rest @ kept, rest @ weights
            every, tokens = others.sum(1), count.sum(1)
        overall = every / tokens.clamp(min=1)
        return torch.where(count > 0, others / count.clamp(min=1), overall[:, None])


class MovingAverageBaseline:
    """One number for all groups: the exponential moving average of earlier batches' mean value.

    The current batch does not count, so the gradient is unbiased. It is 0 in the first batch, and
    corrected for that start afterwards (as Adam corrects its moments).

    Args:
        decay: weight of the past in each update, from 0 to below 1.

    Raises:
        ValueError: a decay outside [0, 1).
    """

    def __init__(self, decay: float = 0.9):
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self._average: Tensor | float = 0.0
        self._weight = 0.0

    def __call__(self, values: Tensor, mask: Tensor, groups: Tensor | None = None) -> Tensor:
        """Baseline of every token; then adds the batch to the average."""
        check_tokens(mask, values=values)
        current = self._average / self._weight if self._weight else 0.0
        mean = torch.where(mask, values, 0.0).sum() / mask.to(values.dtype).sum().clamp(min=1)
        self._average = self.decay * self._average + (1 - self.decay) * mean.detach()
        self._weight = self.decay * self._weight + (1 - self.decay)
        return torch.zeros_like(values) + current

    def state_dict(self) -> dict[str, float]:
        """The average and the weight it has gathered."""
        return {"average": float(self._average), "weight": self._weight}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restores it."""
        # A tensor again, so that the next average is rounded as it would have been.
        self._average, self._weight = torch.tensor(state["average"]), state["weight"]


BASELINES = {
    "none": NoBaseline,
    "mean": MeanBaseline,
    "leave_one_out": LeaveOneOutBaseline,
    "moving_average": MovingAverageBaseline,
}
"""Baselines by the name that settings give."""


def make_baseline(name: str) -> Baseline:
    """Baseline of that name: none, mean, leave_one_out or moving_average."""
    if name not in BASELINES:
        raise ValueError(f"baseline must be one of {', '.join(BASELINES)}, got {name!r}")
    return BASELINES[name]()


def advantages(
    values: Tensor,
    mask: Tensor,
    baseline: Baseline,
    *,
    groups: Tensor | None = None,
    normalize: bool = False,
) -> Tensor:
    """``A = Q - b``; 0 after a sequence's end.

    Args:
        values: action values [B, T].
        mask: bool [B, T].
        baseline: subtracted from the values.
        groups: int64 [B], equal numbers for the sequences of a group; None: one group.
        normalize: divide by the standard deviation over the batch's tokens (as PPO codes do; it
            changes the size of a step, and a batch's noise with it); 0 if all values are equal.

    Returns:
        [B, T], without gradient.

    Raises:
        ValueError: `mask` is not [B, T] like `values`, or `groups` not [B].
    """
    result = torch.where(mask, values - baseline(values, mask, groups), 0.0)
    if normalize:
        count = mask.sum().clamp(min=1)
        mean = result.sum() / count
        variance = torch.where(mask, (result - mean) ** 2, 0.0).sum() / count
        spread = variance.sqrt()
        # Between equal values there is nothing but rounding, which must not be blown up.
        rounding = 1e-6 * torch.where(mask, values.abs(), 0.0).amax()
        result = torch.where(spread > rounding, result / (spread + 1e-8), 0.0)
    return result.detach()
