"""The tokens of sampled sentences, coloured by what the discriminator makes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .record import Record

__all__ = ["HeatMap", "Sentence", "Token", "heat_map"]

REACH = 2.0
"""Log-odds on either side of the mean at which the colour is strongest: odds of 7 to 1. A scale
that went as far as the values do would show noise in full colour."""
CERTAIN = 2.0
"""Standard errors that a value has to be away from the mean to be coloured."""
STRONGEST = 0.62
"""Opacity of the strongest colour: text in the page's own colour stays readable on it."""


@dataclass(frozen=True)
class Token:
    """A token.

    Attributes:
        text: as it is shown.
        value: its action value.
        change: the value minus that of the token before (of the first: minus the mean).
        side: real, fake, or neutral where the value cannot be told from the mean.
        strength: opacity of its colour.
        fall: whether the value falls most here, of all tokens of the sentence, and beyond its
            error.
    """

    text: str
    value: float
    change: float
    side: str
    strength: float
    fall: bool

    @property
    def title(self) -> str:
        """The numbers in words."""
        return f"{self.text}: value {self.value:+.3f}, change {self.change:+.3f}"


@dataclass(frozen=True)
class Sentence:
    """The tokens of a sentence, and the log-odds of the whole."""

    tokens: list[Token]
    whole: float


@dataclass(frozen=True)
class HeatMap:
    """All sentences on one scale.

    Attributes:
        sentences: they.
        rollouts: completions behind each value.
        mean: log-odds of the model's samples on average: the middle of the scale.
        real_mean: the same of real sequences.
        separates: whether the discriminator tells real sequences from the model's on average. A
            discriminator that does not has opinions and no knowledge, and nothing is coloured.
        reach: how far the scale goes on either side of the mean.
        strongest: opacity of the colour at its ends.
    """

    sentences: list[Sentence]
    rollouts: int
    mean: float
    real_mean: float
    separates: bool
    reach: float = REACH
    strongest: float = STRONGEST


def heat_map(record: Record) -> HeatMap | None:
    """The heat map, or None where the run has stored no values."""
    stored = record.results.get("action_values")
    if not stored or not stored["sentences"]:
        return None
    mean, error = stored["mean"], stored.get("mean_error", 0.0)
    apart = CERTAIN * math.hypot(error, stored.get("real_mean_error", 0.0))
    separates = stored["real_mean"] - mean > apart
    sentences = [
        Sentence(_tokens(found, mean, error if separates else math.inf), found["whole"])
        for found in stored["sentences"]
    ]
    return HeatMap(sentences, stored["rollouts"], mean, stored["real_mean"], separates)


def _tokens(found: dict[str, Any], mean: float, mean_error: float) -> list[Token]:
    """The tokens of a sentence as `results.json` has them."""
    texts, values = found["tokens"], found["values"]
    errors = found.get("errors", [0.0] * len(values))
    changes = [now - before for now, before in zip(values, [mean, *values], strict=False)]
    before = [mean_error, *errors]
    lowest = min(changes, default=0.0) if math.isfinite(mean_error) else None
    return [
        Token(
            text if text.strip() else "\u2423",  # an open box: a blank would not be seen
            value,
            change,
            *_colour(value - mean, math.hypot(error, mean_error)),
            lowest is not None and change == lowest < -CERTAIN * math.hypot(error, earlier),
        )
        for text, value, change, error, earlier in zip(
            texts, values, changes, errors, before, strict=False
        )
    ]


def _colour(distance: float, error: float) -> tuple[str, float]:
    """Side and opacity of a value at a distance from the mean."""
    if abs(distance) <= CERTAIN * error:
        return "neutral", 0.0
    side = "real" if distance > 0 else "fake"
    return side, round(STRONGEST * min(1.0, abs(distance) / REACH), 3)
