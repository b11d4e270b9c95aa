"""The tokens of sampled sentences, coloured by what the discriminator makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from .record import Record

__all__ = ["HeatMap", "Sentence", "Token", "heat_map"]

STRONGEST = 0.62
"""Opacity of the strongest colour: text in the page's own colour stays readable on it."""


@dataclass(frozen=True)
class Token:
    """A token.

    Attributes:
        text: as it is shown.
        value: its action value.
        change: the value minus that of the token before (of the first: minus the mean).
        side: real or fake.
        strength: opacity of its colour.
        fall: whether the value falls most here, of all tokens of the sentence.
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
        reach: how far the scale goes on either side of the mean.
        strongest: opacity of the colour at its ends.
    """

    sentences: list[Sentence]
    rollouts: int
    mean: float
    real_mean: float
    reach: float
    strongest: float = STRONGEST


def heat_map(record: Record) -> HeatMap | None:
    """The heat map, or None where the run has stored no values."""
    stored = record.results.get("action_values")
    if not stored or not stored["sentences"]:
        return None
    mean = stored["mean"]
    distances = [
        abs(value - mean)
        for sentence in stored["sentences"]
        for value in [*sentence["values"], sentence["whole"]]
    ]
    reach = max(distances) or 1.0
    sentences = [
        Sentence(_tokens(found["tokens"], found["values"], mean, reach), found["whole"])
        for found in stored["sentences"]
    ]
    return HeatMap(sentences, stored["rollouts"], mean, stored["real_mean"], reach)


def _tokens(texts: list[str], values: list[float], mean: float, reach: float) -> list[Token]:
    changes = [now - before for now, before in zip(values, [mean, *values], strict=False)]
    lowest = min(changes, default=0.0)
    return [
        Token(
            text if text.strip() else "\u2423",  # an open box: a blank would not be seen
            value,
            change,
            "real" if value >= mean else "fake",
            round(STRONGEST * min(1.0, abs(value - mean) / reach), 3),
            change == lowest < 0,
        )
        for text, value, change in zip(texts, values, changes, strict=True)
    ]
