"""Music as people meet it: MIDI to hear, piano rolls to see, tokens to read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image, ImageDraw

from rollout import Sequences

from ...errors import CheckpointError
from ..spec import TokenSpec
from ..text.tokenizers import Spaces, Tokenizer
from ..text.vocabulary import Vocabulary
from ..word_codec import WordCodec
from .midi import write_midi
from .tunes import Tune, pitch_name, tune_of

__all__ = ["MusicCodec", "piano_roll"]

SHOWN = 8
"""Tunes of a picture and of a MIDI file, at most."""
WIDTH, ROW, GAP, MARGIN = 1_120, 4, 18, 40
"""Pixels: of a picture, of a semitone, between tunes, and left of them."""
PAPER, LINE, BLACK_KEY, NOTE, INK = "#ffffff", "#c8c8d0", "#f2f2f6", "#3f51b5", "#606068"


class MusicCodec(WordCodec):
    """Tokens of music (see `tunes`).

    Args:
        vocabulary: the tokens; the first four are special.
        spec: the token ids.
        steps: per quarter note.
    """

    kind: ClassVar[str] = "music"
    suffix: ClassVar[str] = ".mid"

    def __init__(self, vocabulary: Vocabulary, spec: TokenSpec, steps: int):
        super().__init__(vocabulary, Spaces(), spec)
        self.steps = steps
        self.unknown, self.unknown_ids = None, ()  # every token of the data has an id

    def tunes(self, sequences: Sequences) -> list[Tune]:
        """The tune of each sequence."""
        return self.tunes_of(self.tokens(sequences))

    def tunes_of(self, rows: Iterable[Iterable[object]]) -> list[Tune]:
        """The tune of each list of tokens."""
        return [tune_of(row, self.steps) for row in rows]

    def show(self, sequences: Sequences, place: Path) -> Path:
        """Writes a MIDI file with the first tunes, one after another."""
        file = place.with_suffix(self.suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(write_midi(self.tunes(sequences.select(slice(0, SHOWN)))))
        return file

    def picture(self, sequences: Sequences) -> bytes:
        """The piano rolls of the first tunes as PNG."""
        return piano_roll(self.tunes(sequences.select(slice(0, SHOWN))))

    def fingerprint(self) -> str:
        """A hash of the vocabulary and the steps."""
        return f"music-{self.steps}-{self.vocabulary.fingerprint()}"

    def save(self, folder: Path) -> dict[str, Any]:
        """Writes the vocabulary."""
        return {**super().save(folder), "steps": self.steps}

    @classmethod
    def load(
        cls, folder: Path, spec: TokenSpec, content: Mapping[str, Any], tokenizer: Tokenizer | None
    ) -> MusicCodec:
        """The codec that `save` wrote."""
        words, steps = WordCodec.load(folder, spec, content, Spaces()), content.get("steps")
        if not isinstance(steps, int) or not 0 < steps <= 96:
            raise CheckpointError(f"{folder}: music of {steps!r:.20} steps per quarter note")
        return cls(words.vocabulary, spec, steps)


def piano_roll(tunes: list[Tune]) -> bytes:
    """Piano rolls below each other as PNG: time to the right, pitch upwards, lines for bars."""
    ranges = [_range(tune) for tune in tunes]
    heights = [(high - low + 1) * ROW for low, high in ranges]
    page = Image.new("RGB", (WIDTH, max(1, sum(heights) + GAP * (len(tunes) + 1))), PAPER)
    draw = ImageDraw.Draw(page)
    longest = max([tune.bar_starts[-1] for tune in tunes], default=1)
    top = GAP
    for tune, (low, high), height in zip(tunes, ranges, heights, strict=True):
        scale = (WIDTH - MARGIN - 10) / max(1, longest)
        _draw(draw, tune, low, high, top, scale)
        top += height + GAP
    content = io.BytesIO()
    page.save(content, "PNG")
    return content.getvalue()


def _range(tune: Tune) -> tuple[int, int]:
    """The lowest and the highest pitch drawn: an octave or more."""
    pitches = [note.pitch for note in tune.notes] or [60]
    low, high = min(pitches) - 1, max(pitches) + 1
    return low, max(high, low + 12)


def _draw(
    draw: ImageDraw.ImageDraw, tune: Tune, low: int, high: int, top: int, scale: float
) -> None:
    """Draws one tune.

    Args:
        draw: the page.
        tune: the tune.
        low: the lowest pitch.
        high: the highest pitch.
        top: of its roll, in pixels.
        scale: pixels per step.
    """

    def across(step: int) -> float:
        return MARGIN + step * scale

    starts = tune.bar_starts
    bottom = top + (high - low + 1) * ROW
    for pitch in range(low, high + 1):
        above = top + (high - pitch) * ROW
        if pitch % 12 in (1, 3, 6, 8, 10):
            draw.rectangle((MARGIN, above, across(starts[-1]), above + ROW - 1), BLACK_KEY)
        if pitch % 12 == 0:
            draw.text((6, above - 4), pitch_name(pitch), INK)
            draw.line((MARGIN, above + ROW, across(starts[-1]), above + ROW), LINE)
    for start in starts:
        draw.line((across(start), top, across(start), bottom), LINE)
    for note in tune.notes:
        above = top + (high - note.pitch) * ROW
        left, right = (across(min(x, starts[-1])) for x in (note.start, note.start + note.length))
        draw.rectangle((left, above, max(right - 2, left + 1), above + ROW - 1), NOTE)
