"""The most and the least convincing samples of a model, explained."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from rollout import Sequences

from ..config.reward_calls import EXPLAINED
from ..data.dataset import Dataset
from ..models import Generator
from .explain import explained
from .raters import Rater

__all__ = ["extremes"]


def extremes(
    policy: Generator, rater: Rater, samples: Sequences, data: Dataset,
    numbers: Tensor | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The samples that the rater gives most and least, as JSON has them.

    Args:
        policy: that the samples are of.
        rater: the run's: discriminator, density ratio, or reward.
        samples: the samples.
        data: the data set.
        numbers: the rater's [N], if they are known; else it is asked.

    Returns:
        ``kind``, a key of `raters.KINDS`; ``most`` and ``least``: for each sequence its
        ``tokens``, their ``shares`` in the rater's number (empty if they have none), their
        log-probabilities under the policy (``log_prob``), and ``judged``, the number.
    """
    numbers = rater(samples) if numbers is None else numbers
    order, count = numbers.argsort(descending=True, stable=True), EXPLAINED // 2
    found: dict[str, Any] = {"kind": rater.kind}
    for name, rows in (("most", order[:count]), ("least", order.flip(0)[:count])):
        chosen = explained(
            policy, samples.select(rows), data.codec, rater, rollouts=0, numbers=numbers[rows]
        )
        found[name] = [
            {
                "tokens": each.tokens,
                "shares": each.shares,
                "log_prob": each.log_prob,
                "judged": each.judged,
            }
            for each in chosen
        ]
    return found
