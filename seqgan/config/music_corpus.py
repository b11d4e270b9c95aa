"""Settings of music."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .checks import require, shares, sizes
from .corpus import CorpusConfig

__all__ = ["MusicCorpus", "is_music"]

METER = re.compile(r"\d{1,2}/(1|2|4|8|16)")


@dataclass
class MusicCorpus(CorpusConfig):
    """Music as events: MIDI or ABC files, or tunes of the corpus that comes with music21.

    Attributes:
        bars: bars of a sequence; a longer piece becomes several, and what remains at its end is
            kept if it has half as many.
        steps: steps per quarter note that beginnings and lengths of notes are rounded to; 12 has
            triplets and sixteenths.
        meter: time signature of the pieces that are kept, 6/8 say; none: all.
        max_length: longest sequence in tokens, EOS counted; longer ones are left out.
        label: each sequence is asked for by its key, as its notes tell it.
        validation_share: share of the distinct pieces for model selection, if no validation file is
            given; from 0 to 0.5.
        heldout_share: share of the distinct pieces that neither generator nor discriminator trains
            on, to measure the discriminator by; from 0 to 0.5.
        test_share: share of the distinct pieces for the final test, if no test file is given; from
            0 to 0.5.
        num_train: number of training sequences at most; 0: all.
    """

    bars: int = 16
    steps: int = 12
    meter: str | None = None
    max_length: int = 512
    label: bool = False
    validation_share: float = 0.05
    heldout_share: float = 0.05
    test_share: float = 0.1
    num_train: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes(self, "bars", "steps", "max_length")
        sizes(self, "num_train", least=0)
        require(self.steps <= 96, f"--corpus.steps: {self.steps} is above 96")
        require(self.num_train != 1, "--corpus.num_train: 1 is too few to train on")
        require(
            self.meter is None or METER.fullmatch(self.meter) is not None,
            f"--corpus.meter: {self.meter!r} is no time signature such as 6/8",
        )
        shares(self, "validation_share", "heldout_share", "test_share", most=0.5)


def is_music(data: str) -> bool:
    """Tells by its name if a file, or a pattern of files, holds MIDI or ABC."""
    return re.search(r"\.(midi?|abc)$", data.lower()) is not None
