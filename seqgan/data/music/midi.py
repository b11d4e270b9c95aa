"""Tunes from MIDI files and to them, by symusic.

All tracks but drums are read as one; strength, instruments and tempo are left out. The bars follow
from the time signatures (4/4 where there is none), so an upbeat is no bar of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...errors import DataError, MissingExtraError
from .tunes import METER, Note, Tune, bar_steps

__all__ = ["read_midi", "require_symusic", "write_midi"]

TEMPO, VELOCITY = 110, 80
PAUSE = 4
"""Quarter notes of silence between two tunes of a file."""


def require_symusic(purpose: str) -> Any:
    """The package symusic.

    Args:
        purpose: what needs it, for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import symusic
    except ImportError as error:
        raise MissingExtraError("symusic", "music", purpose) from error
    return symusic


def read_midi(content: bytes, steps: int) -> Tune:
    """The tune of a MIDI file.

    Args:
        content: of the file.
        steps: per quarter note.

    Raises:
        DataError: it is no MIDI file, or has no notes, or a bar of it is no whole number of steps.
        MissingExtraError: symusic is not installed.
    """
    symusic = require_symusic("MIDI")
    try:
        score = symusic.Score.from_midi(content)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"is no MIDI file ({error})") from None
    if score.tpq < 1:
        raise DataError(f"is no MIDI file ({score.tpq} ticks per quarter note)")

    def step(ticks: int) -> int:
        """The step nearest to a time in ticks."""
        return (2 * ticks * steps + score.tpq) // (2 * score.tpq)

    found = {
        Note(step(note.start), note.pitch, step(note.duration) or 1)
        for track in score.tracks
        if not track.is_drum
        for note in track.notes
    }
    if not found:
        raise DataError("has no notes")
    changes = {0: METER} | {
        step(each.time): f"{each.numerator}/{each.denominator}" for each in score.time_signatures
    }
    end = max(note.start for note in found)
    return Tune(tuple(_bars(changes, end, steps)), tuple(sorted(found)), steps)


def _bars(changes: dict[int, str], end: int, steps: int) -> Iterable[str]:
    """The time signature of each bar, up to that in which the last note begins."""
    begin, meter = 0, METER
    waiting = sorted(changes.items())
    while begin <= end:
        while waiting and waiting[0][0] <= begin:
            meter = waiting.pop(0)[1]
        length = bar_steps(meter, steps)
        if not length:
            raise DataError(
                f"has the time signature {meter!r}, of which {steps} steps per quarter note make "
                "no whole bar"
            )
        yield meter
        begin += length


def write_midi(tunes: Iterable[Tune]) -> bytes:
    """A MIDI file that plays tunes one after another, a pause between them.

    Raises:
        MissingExtraError: symusic is not installed.
    """
    symusic = require_symusic("MIDI")
    score, track, begin, meter = None, symusic.Track("tune", 0, False), 0, ""
    for tune in tunes:
        if score is None:
            score = symusic.Score(tune.steps)
            score.tempos.append(symusic.Tempo(0, TEMPO))
        starts = tune.bar_starts
        for start, each in zip(starts, tune.meters, strict=False):
            if each != meter:
                upper, lower = map(int, each.split("/"))
                score.time_signatures.append(symusic.TimeSignature(begin + start, upper, lower))
                meter = each
        for note in tune.notes:
            track.notes.append(symusic.Note(begin + note.start, note.length, note.pitch, VELOCITY))
        begin += starts[-1] + PAUSE * tune.steps
    score = symusic.Score(480) if score is None else score
    score.tracks.append(track)
    content: bytes = score.dumps_midi()
    return content
