"""Settings that all terms of a reward share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...errors import ConfigError
from ..checks import choice, require
from ..components import Component, named
from ..dotted import is_dotted
from ..settings import Settings

__all__ = ["SHAPES", "RewardTerm"]

SHAPES = ("none", "clip", "sigmoid", "step", "standardise")


@dataclass
class RewardTerm(Component):
    """One term of the reward.

    Attributes:
        name: what is judged; a function of your own as package.module:function.
        weight: factor of the term.
        shape: what becomes of the values before they are weighted: clip (to low .. high), sigmoid
            (0.05 at low, 0.95 at high; falling if low is above high), step (1 from low to high,
            else 0), standardise (mean 0 and spread 1 over the samples of a step), or none.
        low: of the shape.
        high: of the shape.
    """

    group = "rewards: "
    selector = "name"
    listed: ClassVar[str] = "seqgan.config.rewards:TERMS"
    own: ClassVar[str] = "seqgan.config.rewards.function:FunctionTerm"
    """The dataclass of a function of the user's."""
    needs_discriminator: ClassVar[bool] = False
    needs_mediator: ClassVar[bool] = False
    density: ClassVar[bool] = False
    """True if it is the ratio of a density that is known to the policy's."""
    alone: ClassVar[bool] = False
    """True if it judges any sequence by itself: no model and no data of the training are needed."""
    objective: ClassVar[bool] = True
    """True if it says what is wanted of a sequence; False if it compares with data, or is noise."""

    name: str = ""
    weight: float = 1.0
    shape: str = "none"
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def chosen(cls, content: Mapping[str, Any]) -> type[Settings]:
        """The dataclass that a name stands for; a dotted path stands for the user's function."""
        if is_dotted(str(content.get("name", ""))):
            found: type[Settings] = named(cls.own)
            return found
        try:
            return super().chosen(content)
        except ConfigError as error:
            raise ConfigError(f"{error}, and no package.module:function") from None

    @property
    def moves(self) -> bool:
        """Tells if its values change as something is trained."""
        return self.needs_discriminator or self.needs_mediator or self.density

    @property
    def absent(self) -> float | None:
        """Value, after the shape, of a sequence that cannot be judged; none: it has one before."""
        return None

    @property
    def plain(self) -> bool:
        """Tells if its values are neither weighted nor shaped."""
        return self.weight == 1 and self.shape == "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "shape", SHAPES)
        require(abs(self.weight) < 1e6, f"--rewards: weight: {self.weight} is not below 10^6")
        falls = self.shape == "sigmoid" and self.low > self.high
        require(
            max(abs(self.low), abs(self.high)) < 1e12 and (falls or self.low < self.high),
            f"--rewards: low: {self.low} is not below high: {self.high}",
        )
