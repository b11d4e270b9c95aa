"""The key of a tune in ABC notation, and how much higher notes sound than they are written.

Reference: the standard 2.1 of ABC notation, sections 3.1.14 and 4.6.
"""

from __future__ import annotations

import re

from ...errors import DataError

__all__ = ["SIGNS", "shifts", "signature"]

SIGNS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
"""Semitones of the accidentals."""
_KEY = re.compile(r"(?P<tonic>[A-G])(?P<sign>[#b]?)(?:\s*(?P<mode>[A-Za-z]+)(?![A-Za-z=]))?")
_CHANGED = re.compile(r"(?<!\S)(?P<sign>\^{1,2}|_{1,2}|=)(?P<letter>[A-Ga-g])(?!\S)")
_SHARPS = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1}
_MODES = {
    "": 0, "maj": 0, "ion": 0, "m": -3, "min": -3, "aeo": -3, "mix": -1, "dor": -2, "phr": -4,
    "lyd": 1, "loc": -5,
}  # fmt: skip
_ORDER = "FCGDAEB"
_CLEF = re.compile(
    r"(?<!\S)(?:clef=)?\"?(?:treble|alto|tenor|bass|perc)\d?(?P<octave>[+-]8)?\"?(?!\S)"
)
_SHIFT = re.compile(r"(?<!\S)(?P<name>octave|transpose)=(?P<value>\S*)")
_UNITS = {"octave": 12, "transpose": 1}


def shifts(text: str) -> dict[str, int]:
    """The semitones by which notes sound higher than they are written, by what says so.

    These are ``octave=-1``, ``transpose=2``, and a clef, which has 12 of them in ``treble+8``, else
    none. What the text does not name is not in the answer.

    Args:
        text: of a field ``K:``, or of a field ``V:`` after the voice's name.

    Raises:
        DataError: octave or transpose is no whole number.
    """
    found = {}
    for each in _SHIFT.finditer(text):
        if not re.fullmatch(r"[+-]?\d{1,2}", each["value"]):
            raise DataError(f"has {each[0]!r}, which is no whole number")
        found[each["name"]] = _UNITS[each["name"]] * int(each["value"])
    clef = _CLEF.search(text)
    if clef is not None:
        found["clef"] = {None: 0, "+8": 12, "-8": -12}[clef["octave"]]
    return found


def signature(text: str, before: dict[str, int]) -> dict[str, int]:
    """The accidentals of a key: ``D``, ``Gm``, ``A dorian``, ``Ador``, ``D =c``, ``HP``, ``none``.

    What is no key, such as a clef alone, leaves the key as it was.
    """
    found = _KEY.match(text)
    if found is not None:
        word = found["mode"] or ""
        mode = word[:3].lower() if len(word) > 1 else word
        sharps = _SHARPS[found["tonic"]] + 7 * {"#": 1, "b": -1, "": 0}[found["sign"]]
        key = {} if mode == "exp" else _written(sharps + _MODES.get(mode, 0))
    elif re.match(r"H[Pp]\b", text):
        key = _written(2)  # the pipes have F sharp and C sharp, written or not
    elif re.match(r"$|none\b|[_^=]", text, re.IGNORECASE):
        key = {}
    else:
        return before
    changed = {each["letter"].upper(): SIGNS[each["sign"]] for each in _CHANGED.finditer(text)}
    return key | changed


def _written(sharps: int) -> dict[str, int]:
    """The accidentals of a number of sharps; of flats if it is negative."""
    letters = _ORDER[:sharps] if sharps >= 0 else _ORDER[sharps:]
    return {letter: 1 if sharps >= 0 else -1 for letter in letters}
