"""Settings that all generators share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..components import Component
from ..corpus import CorpusConfig

__all__ = ["GeneratorConfig"]


@dataclass
class GeneratorConfig(Component):
    """The policy."""

    group = "generator."

    listed: ClassVar[str] = "seqgan.config.generators:GENERATORS"
    judge: ClassVar[str | None] = None
    """The only architecture of discriminators that it can be trained with; None: any."""
    has_members: ClassVar[bool] = True
    """False if an ensemble of such models is made only where it is asked for by name."""

    @property
    def noise_size(self) -> int:
        """Numbers from N(0, 1) that every sequence is drawn with; 0 in generators without noise."""
        return int(getattr(self, "noise", 0))

    def check_corpus(self, corpus: CorpusConfig) -> None:
        """Requires data that the generator can be trained on; by default any.

        Raises:
            ConfigError: they are of a kind that it cannot read.
        """

    def check_judge(self, judge: Any) -> None:
        """Requires a discriminator that the generator can be trained with; by default any.

        Args:
            judge: settings of the discriminator.

        Raises:
            ConfigError: it is none of those.
        """
