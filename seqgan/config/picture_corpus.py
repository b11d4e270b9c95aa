"""Settings of pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .checks import require, shares, sizes
from .corpus import CorpusConfig

__all__ = ["PictureCorpus", "is_pictures"]


@dataclass
class PictureCorpus(CorpusConfig):
    """Pictures as sequences of grey levels, row by row: digits, or a file in MNIST's format.

    Attributes:
        levels: grey levels, 2 to 256: the number of tokens.
        shrink: squares of this many pixels each way become one pixel, their mean.
        validation_share: share of the distinct pictures for model selection, if no validation file
            is given; from 0 to 0.5.
        heldout_share: share of the distinct pictures that neither generator nor discriminator
            trains on, to measure the discriminator by; from 0 to 0.5.
        test_share: share of the distinct pictures for the final test, if no test file is given;
            from 0 to 0.5.
        num_train: number of training pictures at most; 0: all.
        label: each picture is asked for by its label: the digit.
    """

    levels: int = 8
    shrink: int = 1
    validation_share: float = 0.1
    heldout_share: float = 0.05
    test_share: float = 0.15
    num_train: int = 0
    label: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "levels", least=2)
        sizes(self, "shrink")
        sizes(self, "num_train", least=0)
        require(self.levels <= 256, f"--corpus.levels: {self.levels} is above 256")
        require(self.num_train != 1, "--corpus.num_train: 1 is too few to train on")
        shares(self, "validation_share", "heldout_share", "test_share", most=0.5)


def is_pictures(data: str) -> bool:
    """Tells by its name if a file holds pictures in MNIST's format."""
    return re.search(r"(idx3-ubyte|\.idx3?)(\.gz)?$", data.lower()) is not None
