"""The most and the least convincing samples of a model, explained."""

from __future__ import annotations

from typing import Any

from rollout import Sequences

from ..data.dataset import Dataset
from ..models import Discriminator, Generator
from ..models.discriminators.base import sequence_log_odds
from .attribution import training_baseline
from .explain import explained

__all__ = ["extremes"]


def extremes(
    policy: Generator, judge: Discriminator, samples: Sequences, data: Dataset, count: int = 3
) -> dict[str, Any]:
    """The samples with the highest and the lowest log-odds, as JSON has them.

    Args:
        policy: that the samples are of.
        judge: the discriminator.
        samples: the samples.
        data: the data set.
        count: samples of each kind.

    Returns:
        ``most`` and ``least``: for each sequence its ``tokens``, the share of each in the log-odds
        (``occlusion``), its log-probability under the policy (``log_prob``), and ``log_odds``.
    """
    log_odds = sequence_log_odds(judge)(samples)
    order = log_odds.argsort(descending=True, stable=True)
    baseline = training_baseline(judge, data)
    found = {}
    for name, rows in (("most", order[:count]), ("least", order.flip(0)[:count])):
        chosen = samples.select(rows)
        found[name] = [
            {
                "tokens": each.tokens,
                "occlusion": each.occlusion,
                "log_prob": each.log_prob,
                "log_odds": each.log_odds,
            }
            for each in explained(policy, chosen, data.codec, judge, baseline, rollouts=0)
        ]
    return found
