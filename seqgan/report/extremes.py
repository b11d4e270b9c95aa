"""The most and the least convincing samples, their tokens coloured by their share."""

from __future__ import annotations

from dataclasses import dataclass

from ..evaluation.raters import KINDS, Kind
from .explaining import Cell, coloured
from .record import Record

__all__ = ["Extremes", "Sample", "extreme_samples"]

CONVINCING = {"log_odds", "score"}
"""Kinds of numbers by which a sample convinces a discriminator."""


@dataclass(frozen=True)
class Sample:
    """A sample, token by token.

    Attributes:
        tokens: text and colour of each; the text of a cell is its share, empty if there is none.
        judged: its number by the judge.
        nats: log-probability under the model.
    """

    tokens: list[tuple[str, Cell]]
    judged: float
    nats: float


@dataclass(frozen=True)
class Extremes:
    """Samples with the highest and the lowest numbers.

    Attributes:
        kind: a key of `KINDS`.
        groups: title and samples of each.
        shares: if tokens have shares.
    """

    kind: str
    groups: list[tuple[str, list[Sample]]]
    shares: bool

    @property
    def words(self) -> Kind:
        """Words for the judge's numbers."""
        return KINDS[self.kind]

    @property
    def title(self) -> str:
        """Title of the section."""
        if self.kind in CONVINCING:
            return "The most and the least convincing samples"
        return f"The samples with the highest and the lowest {self.words.name}"


def extreme_samples(record: Record) -> Extremes | None:
    """The samples that a run has stored; None if there are none of a known kind."""
    stored = record.results.get("explained") or {}
    kind = stored.get("kind")
    if kind not in KINDS:
        return None
    name = KINDS[kind].name
    titles = {"most": f"Highest {name}", "least": f"Lowest {name}"}
    if kind in CONVINCING:
        titles = {"most": "Most convincing", "least": "Least convincing"}
    every = [each for name in titles for each in stored[name]]
    most = max((abs(share) for each in every for share in each["shares"]), default=0.0)
    groups = [
        (
            title,
            [
                Sample(
                    coloured(each["tokens"], each["shares"], most),
                    each["judged"],
                    sum(each["log_prob"]),
                )
                for each in stored[name]
            ],
        )
        for name, title in titles.items()
    ]
    return Extremes(kind, groups, any(each["shares"] for each in every))
