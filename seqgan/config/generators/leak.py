"""Settings of the generator that sees the discriminator's features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..checks import dropout, require, sizes
from .base import GeneratorConfig

__all__ = ["Leak"]


@dataclass
class Leak(GeneratorConfig):
    """LeakGAN's manager and worker (Guo et al. 2018): the discriminator leaks its features.

    Attributes:
        architecture: kind of network.
        embedding: size of the worker's token embeddings.
        hidden: units of the manager and of the worker.
        goal: numbers of a goal that the worker sees.
        horizon: tokens that a goal is for.
        leaked: size of the discriminator's token embeddings.
        widths: filter widths of the discriminator, in tokens.
        filters: its number of filters of each width.
        dropout: probability of dropping a unit in training, from 0 to below 1.
    """

    judge = "cnn"
    has_members = False  # without a discriminator it reads features of nothing
    rare = ("horizon", "leaked", "widths", "filters")

    builds: ClassVar[str] = "seqgan.models.generators.leak"
    architecture: str = "leak"
    embedding: int = 32
    hidden: int = 64
    goal: int = 16
    horizon: int = 4
    leaked: int = 32
    widths: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    filters: list[int] = field(default_factory=lambda: [20, 20, 20, 20, 20])
    dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "embedding", "hidden", "goal", "horizon", "leaked")
        require(
            len(self.widths) == len(self.filters) > 0 and min(self.widths + self.filters) >= 1,
            f"--generator.widths: {len(self.widths)} widths but {len(self.filters)} numbers of "
            "filters; give as many of both, from 1 on",
        )
        dropout(self)

    def check_judge(self, judge: Any) -> None:
        """Requires a CNN of the same widths, filters and embedding, whose features it sees."""
        flag = "--generator.architecture: leak sees the features of the discriminator"
        require(
            judge.architecture == self.judge
            and judge.representations == 1
            and not judge.spectral_norm,
            f"{flag}, which must be cnn, with one representation and without spectral_norm; it is "
            f"{judge.architecture}",
        )
        counts = [max(1, round(count * judge.filter_share)) for count in judge.filters]
        for name, own, other in (
            ("widths", self.widths, judge.widths), ("filters", self.filters, counts),
            ("leaked", self.leaked, judge.embedding),
        ):  # fmt: skip
            require(
                own == other,
                f"{flag}: --generator.{name} {own} is not the discriminator's {other}; give both "
                "the same",
            )
