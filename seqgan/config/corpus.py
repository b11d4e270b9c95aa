"""Settings that the data of all sources share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .checks import seed
from .components import named
from .settings import Settings

__all__ = ["CorpusConfig"]


@dataclass
class CorpusConfig(Settings):
    """The way from a source of data to sequences of token ids; the source chooses the kind.

    Attributes:
        split_seed: seed of the splits and of the draws; none: --seed.
    """

    group = "corpus."

    split_seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split_seed is not None:
            seed(self.split_seed, "--corpus.split_seed")

    @classmethod
    def others(cls) -> Mapping[str, type[Settings]]:
        """The settings of all kinds of sources, for messages."""
        kinds: Mapping[str, type[Settings]] = named("seqgan.config.data:KINDS")
        return kinds

    def data_seed(self, seed: int) -> int:
        """The seed of the splits and draws, if that of everything else is `seed`."""
        return seed if self.split_seed is None else self.split_seed

    def columns(self) -> dict[str, str]:
        """The data's own names of what sequences are asked for by: of label and source."""
        return {}

    def names(self) -> set[str]:
        """Names by which a reward function may ask for what sequences are asked for by."""
        return {"label", "source"}
