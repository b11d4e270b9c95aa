"""Settings of the terms that read a sequence's tokens or its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ..checks import require, sizes
from .base import RewardTerm

__all__ = ["BleuTerm", "LengthTerm", "NoveltyTerm", "RegexTerm", "RepetitionTerm"]


@dataclass
class LengthTerm(RewardTerm):
    """Number of tokens, EOS not counted; a shape makes a goal of it."""

    builds: ClassVar[str] = "seqgan.rewards.texts:Length"
    alone = True
    name: str = "length"


@dataclass
class RepetitionTerm(RewardTerm):
    """Share of a sequence's n-grams that it has had before; a negative weight keeps it low.

    Attributes:
        order: n, in tokens.
    """

    builds: ClassVar[str] = "seqgan.rewards.texts:Repetition"
    alone = True
    name: str = "repetition"
    order: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "order")


@dataclass
class BleuTerm(RewardTerm):
    """BLEU of a sequence against a set of references.

    Attributes:
        references: text file with one reference per line; none: the training sequences.
        order: largest n-gram order.
        most: references that are compared with at most, drawn at random.
    """

    builds: ClassVar[str] = "seqgan.rewards.texts:Bleu"
    name: str = "bleu"
    references: str | None = None
    order: int = 4
    most: int = 1_000

    @property
    def objective(self) -> bool:  # type: ignore[override]
        """True with references of one's own; without, it compares with the training data."""
        return self.references is not None

    @property
    def alone(self) -> bool:  # type: ignore[override]
        """As `objective`."""
        return self.objective

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "order", "most")
        require(self.order <= 5, f"--rewards: order: {self.order} is above 5")


@dataclass
class RegexTerm(RewardTerm):
    """1 if a regular expression is found in the text, else 0.

    Attributes:
        pattern: the expression, in Python's syntax.
    """

    builds: ClassVar[str] = "seqgan.rewards.texts:Regex"
    alone = True
    name: str = "regex"
    pattern: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.pattern), "--rewards: regex: give a pattern, '{name: regex, pattern: X}'")
        try:
            re.compile(self.pattern)
        except re.error as error:
            require(False, f"--rewards: pattern: {self.pattern!r} is no expression: {error}")


@dataclass
class NoveltyTerm(RewardTerm):
    """1 if no training sequence is the same, else 0; or the share of n-grams that are new.

    Attributes:
        order: n, in tokens; 0: the whole sequence.
    """

    builds: ClassVar[str] = "seqgan.rewards.texts:Novelty"
    name: str = "novelty"
    order: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "order", least=0)
