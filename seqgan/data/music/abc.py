"""Tunes in ABC notation.

Read are the notes of one voice with everything that changes their pitch or length: keys, modes,
accidentals, note lengths, broken rhythms, tuplets, ties, chords, rests, bars. Grace notes, slurs,
ornaments, words and chord names are left out, and parts to be repeated are written once. The bars
stay as they are written, which a conversion to MIDI would lose: an upbeat has a bar of its own, and
two halves of a bar on both sides of a repeat sign are one bar.

Reference: the standard 2.1 of ABC notation, https://abcnotation.com/wiki/abc:standard:v2.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from ...errors import DataError
from .abc_keys import SIGNS, shifts, signature
from .tunes import Note, Tune, bar_steps

__all__ = ["read_abc", "split_abc"]

_TOKEN = re.compile(
    r"""(?P<field>\[[A-Za-z]:[^]]*\])|(?P<words>"[^"]*"|![^!]*!|\+[^+\s]*\+)|(?P<grace>\{[^}]*\})
    |(?P<bar>:*\[?\|[|\]:]*(?:\[?[1-9][,\-1-9]*)?|::+|\[[1-9][,\-1-9]*|\|?\])
    |(?P<tuplet>\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?)
    |(?P<note>(?P<sign>\^{1,2}|_{1,2}|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*))(?P<length>\d*/*\d*)
    |(?P<rest>[zxZX])(?P<silence>\d*/*\d*)|(?P<open>\[)|(?P<tie>-)|(?P<broken>>{1,3}|<{1,3})
    |(?P<other>[\s().~H-Wh-wyY\\`$*;@#&?%,!]|'|/)""",
    re.VERBOSE,
)
_CHORD_END = re.compile(r"\](?P<length>\d*/*\d*)")
TICKS = 10_080
"""Ticks per quarter note: triplets, quintuplets and septuplets of short notes are whole."""
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


def split_abc(text: str) -> list[str]:
    """The tunes of a file: from one line ``X:`` to the next."""
    parts = re.split(r"^(?=X:)", text, flags=re.MULTILINE)
    return [part for part in parts if part.startswith("X:")]


@dataclass(slots=True)
class _Sounding:
    """A note as it is written: where it begins in its measure, and its length, in ticks."""

    at: int
    pitch: int
    length: int
    tied: bool = False


@dataclass
class _Measure:
    """The notes between two bar lines."""

    meter: str
    length: int = 0
    notes: list[_Sounding] = field(default_factory=list)


@dataclass
class _Reader:
    """State of a tune that is being read."""

    meter: str = "4/4"
    unit: int | None = None
    key: dict[str, int] = field(default_factory=dict)
    measures: list[_Measure] = field(default_factory=list)
    accidentals: dict[str, int] = field(default_factory=dict)
    tuplet: tuple[int, int] = (1, 1)
    left: int = 0
    last: list[_Sounding] = field(default_factory=list)
    broken: tuple[int, int] = (1, 1)
    voice: str = ""
    shifts: dict[str, int] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    sounding: dict[str, int] = field(default_factory=dict)
    tied: dict[str, int] = field(default_factory=dict)

    @property
    def measure(self) -> _Measure:
        if not self.measures:
            self.measures.append(_Measure(self.meter))
        return self.measures[-1]

    def set_field(self, name: str, value: str) -> None:
        """Takes a field of the header, or one within the tune."""
        value = value.split("%")[0].strip()
        if name == "M":
            self.meter = {"C": "4/4", "C|": "2/2"}.get(value, value)
            if not self.measure.length:
                self.measure.meter = self.meter
        elif name == "L":
            self.unit = _unit(value)
        elif name == "K":
            self.key = signature(value, self.key)
            self.shifts |= shifts(value)
        elif name == "V":
            voice, _, described = value.partition(" ")
            self.shifts |= shifts(described)
            if self.voice not in ("", voice):
                raise DataError("has several voices")
            self.voice = voice

    def bar(self) -> None:
        """Ends a measure."""
        self.accidentals = {}
        if self.measure.length:
            self.measures.append(_Measure(self.meter))

    def pitch(self, found: re.Match[str]) -> int:
        """MIDI's number of a written note; an accidental holds to the end of the measure."""
        letter = found["letter"]
        place = letter + found["octave"]
        if found["sign"]:
            self.accidentals[place] = SIGNS[found["sign"]]
        usual = self.tied.get(place, self.key.get(letter.upper(), 0))
        shift = self.signs[place] = self.accidentals.get(place, usual)
        octave = letter.islower() + found["octave"].count("'") - found["octave"].count(",")
        written = 60 + 12 * octave + _SEMITONES[letter.upper()] + shift
        return written + sum(self.shifts.values())

    def sound(self, pitches: list[int], length: str) -> None:
        """Writes notes that begin together; no pitch is a rest."""
        duration = self._duration(length)
        measure = self.measure
        self.last = [_Sounding(measure.length, pitch, duration) for pitch in pitches]
        measure.notes += self.last
        measure.length += duration
        self.tied, self.sounding, self.signs = {}, self.signs, {}

    def tie(self) -> None:
        """Ties the last notes to the next, which keep their accidentals over a bar line."""
        for note in self.last:
            note.tied = True
        self.tied = self.sounding

    def _duration(self, length: str) -> int:
        if self.unit is None:  # the standard's default
            self.unit = TICKS // 4 if 0 < bar_steps(self.meter, TICKS) < 3 * TICKS else TICKS // 2
        times, parts = _length(length)
        (more, fewer), (much, little) = self.tuplet, self.broken
        duration = self.unit * times * more * much // (parts * fewer * little)
        if self.left:
            self.left -= 1
            self.tuplet = self.tuplet if self.left else (1, 1)
        self.broken = (1, 1)
        return duration

    def break_rhythm(self, signs: str) -> None:
        """``>`` lengthens the note before it and shortens the next one, ``<`` the other way."""
        if not self.last:
            return
        short, long = 1, 2 ** (len(signs) + 1) - 1
        before, after = (long, short) if signs[0] == ">" else (short, long)
        whole, length = 2 ** len(signs), self.last[0].length
        for note in self.last:
            note.length = length * before // whole
        self.measure.length += self.last[0].length - length
        self.broken = (after, whole)


def read_abc(text: str, steps: int) -> Tune:
    """The tune of a text in ABC notation.

    Args:
        text: from its line ``X:`` on.
        steps: per quarter note.

    Raises:
        DataError: it has no time signature, no notes, more than one voice, or what ABC has not.
    """
    reader = _Reader()
    header = True
    for line in text.splitlines():
        if not header and not line.strip():
            break  # an empty line ends a tune; prose may follow
        found = re.match(r"([A-Za-z]):(.*)", line)
        if found is not None:
            reader.set_field(found[1], found[2])
            header = header and found[1] != "K"
        elif not header and not line.startswith("%"):
            _read_line(reader, line.split("%")[0])
    return _tune(reader.measures, steps)


def _read_line(reader: _Reader, line: str) -> None:
    place = 0
    while place < len(line):
        found = _TOKEN.match(line, place)
        if found is None:
            raise DataError(f"{line[place : place + 20]!r} is not ABC notation that is read here")
        place = found.end()
        if found["field"]:
            reader.set_field(found["field"][1], found["field"][3:-1])
        elif found["bar"]:
            reader.bar()
        elif found["tuplet"]:
            count, compound = int(found["p"]), reader.meter in ("6/8", "9/8", "12/8")
            usual = _TUPLETS.get(count, 3 if compound else 2)
            reader.tuplet = (int(found["q"] or usual), count)
            reader.left = int(found["r"] or count)
        elif found["note"]:
            reader.sound([reader.pitch(found)], found["length"])
        elif found["rest"]:
            reader.sound([], found["silence"])
        elif found["open"]:
            place = _read_chord(reader, line, place)
        elif found["tie"]:
            reader.tie()
        elif found["broken"]:
            reader.break_rhythm(found["broken"])
        elif found["other"] == "&":
            raise DataError("has several voices (the sign &)")


def _read_chord(reader: _Reader, line: str, place: int) -> int:
    """Reads the notes up to a closing bracket; returns the place after it."""
    pitches, lengths = list[int](), list[str]()
    while (end := _CHORD_END.match(line, place)) is None:
        found = _TOKEN.match(line, place)
        if found is None:
            raise DataError(f"{line[place : place + 20]!r}: a chord without an end")
        if found["note"]:
            pitches.append(reader.pitch(found))
            lengths.append(found["length"])
        place = found.end()
    reader.sound(pitches, end["length"] or (lengths[0] if lengths else ""))
    return end.end()


def _tune(measures: list[_Measure], steps: int) -> Tune:
    """The measures laid out in bars."""
    measures = [measure for measure in measures if measure.length]
    if not any(measure.notes for measure in measures):
        raise DataError("has no notes")
    for measure in measures:
        if not bar_steps(measure.meter, steps):
            raise DataError(
                f"has the time signature {measure.meter!r}, of which {steps} steps per quarter "
                "note make no whole bar"
            )
    full = [bar_steps(measure.meter, TICKS) for measure in measures]
    pickup = len(measures) > 1 and measures[0].length < full[0]
    notes, meters = list[_Sounding](), list[str]()
    begin = used = 0
    for number, (measure, whole) in enumerate(zip(measures, full, strict=True)):
        if not (used and used + measure.length <= whole and meters[-1] == measure.meter):
            begin += full[number - 1] * -(-used // full[number - 1]) if number else 0
            used = whole - measure.length if not number and pickup else 0
            meters += [measure.meter] * max(1, -(-(used + measure.length) // whole))
        for note in measure.notes:
            note.at += begin + used
        notes += measure.notes
        used += measure.length
        if used == whole:
            begin, used = begin + whole, 0
    return Tune(tuple(meters), _joined(notes, steps), steps, pickup)


def _joined(notes: list[_Sounding], steps: int) -> tuple[Note, ...]:
    """The notes in steps, tied ones as one."""
    found: list[_Sounding] = []
    waiting: dict[tuple[int, int], _Sounding] = {}
    for note in notes:
        before = waiting.pop((note.pitch, note.at), None)
        if before is None:
            found.append(note)
        else:
            before.length += note.length
        last = note if before is None else before
        if note.tied:
            waiting[last.pitch, last.at + last.length] = last
    grid = [
        (_step(note.at, steps), note.pitch, _step(note.at + note.length, steps)) for note in found
    ]
    return tuple(sorted({Note(a, p, max(1, b - a)) for a, p, b in grid if 0 <= p < 128}))


def _step(ticks: int, steps: int) -> int:
    """The step nearest to a time."""
    return (2 * ticks * steps + TICKS) // (2 * TICKS)


def _unit(text: str) -> int:
    """The ticks of a note length such as 1/8."""
    found = re.fullmatch(r"(\d+)(?:/([1-9]\d*))?", text)
    if found is None:
        raise DataError(f"has the note length {text!r}")
    return 4 * TICKS * int(found[1]) // int(found[2] or 1)


@cache
def _length(text: str) -> tuple[int, int]:
    """The factor that follows a note, above and below: ``2``, ``3/2``, ``/``, ``//``, ``/4``."""
    found = re.fullmatch(r"(\d*)(/*)(\d*)", text)
    assert found is not None
    below = int(found[3]) if found[3] else 2 ** len(found[2])
    return int(found[1] or 1), below or 1
