"""The most and the least convincing samples, their tokens coloured by their share."""

from __future__ import annotations

from dataclasses import dataclass

from .explaining import Cell, coloured
from .record import Record

__all__ = ["Sample", "extreme_samples"]

TITLES = {"most": "Most convincing", "least": "Least convincing"}


@dataclass(frozen=True)
class Sample:
    """A sample, token by token.

    Attributes:
        tokens: text and colour of each.
        log_odds: of being real, by the discriminator.
        nats: log-probability under the model.
    """

    tokens: list[tuple[str, Cell]]
    log_odds: float
    nats: float


def extreme_samples(record: Record) -> list[tuple[str, list[Sample]]]:
    """Title and samples of both kinds; empty where the run has stored none."""
    stored = record.results.get("explained") or {}
    every = [each for kind in stored.values() for each in kind]
    most = max((abs(share) for each in every for share in each["occlusion"]), default=0.0)
    return [
        (
            title,
            [
                Sample(
                    coloured(each["tokens"], each["occlusion"], most),
                    each["log_odds"],
                    sum(each["log_prob"]),
                )
                for each in stored[name]
            ],
        )
        for name, title in TITLES.items()
        if name in stored
    ]
