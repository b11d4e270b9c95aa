"""Settings of the parts that policy gradient may have besides."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import choice, not_negative, positive, require, shares, sizes
from ..settings import Settings

__all__ = ["DiversityConfig", "ReplayConfig", "ValueConfig"]


@dataclass
class ValueConfig(Settings):
    """The value head: the baseline "value", with generalised advantage estimates.

    Attributes:
        decay: the lambda of the estimates: 1: return minus value, without bias; 0: one step.
        hidden: hidden units.
        learning_rate: of the head; the generator's features are read and not trained by it.
        updates: gradient steps of the head per batch of samples.
    """

    rare = ("decay", "hidden", "learning_rate", "updates")
    group = "algorithm.value."

    decay: float = 0.95
    hidden: int = 64
    learning_rate: float = 1e-3
    updates: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        shares(self, "decay")
        sizes(self, "hidden", "updates")
        positive(self, "learning_rate", below=10)


@dataclass
class ReplayConfig(Settings):
    """The memory of the best sequences, which are trained on again.

    Attributes:
        size: distinct sequences that are remembered; 0: none.
        batch: of them, drawn for each step.
        weight: of their loss. With the loss augmented it is the same loss; else self-imitation,
            minus log-likelihood times what the reward is above the mean of the step.
    """

    rare = ("batch", "weight")
    group = "algorithm.replay."

    size: int = 0
    batch: int = 16
    weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "size", least=0)
        sizes(self, "batch")
        not_negative(self, "weight")
        require(self.size <= 1_000_000, f"--{self.group}size: {self.size:,} is above 1,000,000")


@dataclass
class DiversityConfig(Settings):
    """The filter against repeating what was rewarded before.

    Attributes:
        filter: none, unique (a sequence counts as seen when the same one was sampled), or scaffold
            (when a molecule with the same Murcko scaffold was; extra `molecules`).
        bucket: times that a sequence, or a scaffold, is rewarded; from then on its value is 0 at
            most.
        minimum: only samples with this reward or more are counted and filtered; none: all.
    """

    rare = ("filter", "bucket", "minimum")
    group = "algorithm.diversity."

    filter: str = "none"
    bucket: int = 1
    minimum: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "filter", ("none", "unique", "scaffold"))
        sizes(self, "bucket")
