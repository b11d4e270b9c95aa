"""Tunes, and the tokens that stand for them.

A tune is written bar by bar: ``6/8 | @30 D5 :6 | F#5 :12 E5 :6``. The time signature comes first,
and again where it changes; ``|`` begins a bar; a note is its pitch and its length in steps. A note
begins where the one before it ended, or at the beginning of its bar if that is later; if it begins
elsewhere (after a rest, in a chord, in another voice), ``@`` and its place in the bar stand before
it. So a melody takes two tokens per note, and any number of voices can be written.

The time signature and the bars are those of REMI (Huang and Yang 2020); places are written only
where they do not follow from the notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

__all__ = [
    "BAR", "METER", "Note", "Tune", "bar_steps", "events", "pitch_name", "tune_of", "windows",
]  # fmt: skip

BAR, METER = "|", "4/4"
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_PITCH = re.compile(r"([A-G]#?)(-1|\d)")
_METER = re.compile(r"(\d{1,2})/(\d{1,2})")


class Note(NamedTuple):
    """A note; times in steps.

    Attributes:
        start: from the beginning of the tune.
        pitch: MIDI's number, 60 is middle C.
        length: 1 or more.
    """

    start: int
    pitch: int
    length: int


class Tune(NamedTuple):
    """A piece of music, or some bars of one.

    Attributes:
        meters: the time signature of each bar, ``6/8``.
        notes: in the order of their beginnings, the lower one first.
        steps: per quarter note.
        pickup: the first bar only holds the upbeat.
    """

    meters: tuple[str, ...]
    notes: tuple[Note, ...]
    steps: int
    pickup: bool = False

    @property
    def bar_starts(self) -> list[int]:
        """The step at which each bar begins, and the end of the last one."""
        starts = [0]
        for meter in self.meters:
            starts.append(starts[-1] + bar_steps(meter, self.steps))
        return starts

    def bars(self) -> list[list[Note]]:
        """The notes that begin in each bar, their starts counted from its beginning."""
        starts, found = self.bar_starts, [list[Note]() for _ in self.meters]
        bar = 0
        for note in self.notes:
            while bar + 1 < len(found) and note.start >= starts[bar + 1]:
                bar += 1
            found[bar].append(note._replace(start=note.start - starts[bar]))
        return found


@cache
def bar_steps(meter: str, steps: int) -> int:
    """Steps of a bar; 0 if they are no whole number, or it is no time signature."""
    found = _METER.fullmatch(meter)
    if found is None or not int(found[2]):
        return 0
    length, rest = divmod(4 * steps * int(found[1]), int(found[2]))
    return 0 if rest else length


def pitch_name(pitch: int) -> str:
    """The name of a pitch: C4 is MIDI's 60."""
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def events(tune: Tune, bars: range | None = None) -> list[str]:
    """The tokens of a tune, or of some of its bars.

    Args:
        tune: the tune.
        bars: consecutive bars; None: all.
    """
    starts, written = tune.bar_starts, tune.bars()
    tokens, meter, free = list[str](), "", 0
    for bar in bars or range(len(written)):
        if tune.meters[bar] != meter:
            meter = tune.meters[bar]
            tokens.append(meter)
        tokens.append(BAR)
        free = max(free, starts[bar])
        for note in written[bar]:
            start = starts[bar] + note.start
            if start != free:
                tokens.append(f"@{note.start}")
            tokens += [pitch_name(note.pitch), f":{note.length}"]
            free = start + note.length
    return tokens


def tune_of(tokens: Iterable[object], steps: int) -> Tune:
    """The tune that tokens stand for, whatever they are.

    A pitch without a length lasts one step; what stands where it means nothing is left out.

    Args:
        tokens: as `events` gives them, or a model.
        steps: per quarter note.
    """
    meters, notes = list[str](), list[Note]()
    meter, begin, end, free = METER, 0, 0, 0
    pitch: int | None = None
    for token in [*map(str, tokens), BAR]:
        found = _PITCH.fullmatch(token)
        if pitch is not None:  # its length, or what stands in the place of that
            length = int(token[1:]) if token[:1] == ":" and token[1:].isdecimal() else 1
            notes.append(Note(free, pitch, max(length, 1)))
            free, pitch = free + max(length, 1), None
        if token == BAR:
            meters.append(meter)
            begin, end = end, end + bar_steps(meter, steps)
            free = max(free, begin)
        elif bar_steps(token, steps):
            meter = token
        elif token[:1] == "@" and token[1:].isdecimal():
            free = begin + int(token[1:])
        elif found is not None:
            pitch = NAMES.index(found[1]) + 12 * (int(found[2]) + 1)
    meters.pop()  # that of the bar at the end, which only ends the last note
    return _within(meters or [meter], notes, steps)


def _within(meters: list[str], notes: list[Note], steps: int) -> Tune:
    """The tune in order, without what lies beyond MIDI's pitches or after its last bar."""
    end = Tune(tuple(meters), (), steps).bar_starts[-1]
    kept = {note for note in notes if note.pitch < 128 and note.start < end}
    return Tune(tuple(meters), tuple(sorted(kept)), steps)


def windows(tune: Tune, bars: int) -> Iterator[range]:
    """The bars of each sequence that a tune becomes.

    Args:
        tune: the tune; an upbeat goes with the bars after it.
        bars: of a sequence.
    """
    count, first, last = len(tune.meters), 0, bars + tune.pickup
    while first < count and (first == 0 or count - first >= bars / 2):
        yield range(first, min(last, count))
        first, last = last, last + bars
