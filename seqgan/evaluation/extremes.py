"""The most and the least convincing samples of a model, explained."""

from __future__ import annotations

from typing import Any

from rollout import Sequences

from ..data.dataset import Dataset
from ..models import Generator
from .explain import explained
from .judges import Judge

__all__ = ["extremes"]


def extremes(
    policy: Generator, judge: Judge, samples: Sequences, data: Dataset, count: int = 3
) -> dict[str, Any]:
    """The samples that the judge gives most and least, as JSON has them.

    Args:
        policy: that the samples are of.
        judge: the run's: discriminator, density ratio, or reward.
        samples: the samples.
        data: the data set.
        count: samples of each kind.

    Returns:
        ``kind``, a key of `judges.KINDS`; ``most`` and ``least``: for each sequence its
        ``tokens``, their ``shares`` in the judge's number, their log-probabilities under the policy
        (``log_prob``), and ``judged``, the number.
    """
    order = judge(samples).argsort(descending=True, stable=True)
    found: dict[str, Any] = {"kind": judge.kind}
    for name, rows in (("most", order[:count]), ("least", order.flip(0)[:count])):
        chosen = explained(policy, samples.select(rows), data.codec, judge, rollouts=0)
        found[name] = [
            {
                "tokens": each.tokens,
                "shares": each.shares or [0.0] * len(each.tokens),
                "log_prob": each.log_prob,
                "judged": each.judged,
            }
            for each in chosen
        ]
    return found
