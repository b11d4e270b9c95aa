"""The key of a tune, found from its notes.

Reference: Krumhansl 1990, "Cognitive Foundations of Musical Pitch", chapter 4: the key whose
profile correlates most with the time that each pitch class sounds; the profiles are those of
Krumhansl and Kessler 1982.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from .tunes import NAMES, Note

__all__ = ["KEYS", "key_of", "pitch_classes"]

KEYS = (*(f"{name} major" for name in NAMES), *(f"{name} minor" for name in NAMES))
"""The keys; a key's place is its number."""
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def pitch_classes(notes: Iterable[Note]) -> npt.NDArray[np.float64]:
    """The steps [12] that each pitch class sounds, C first."""
    found = np.zeros(12)
    for note in notes:
        found[note.pitch % 12] += note.length
    return found


def key_of(sounding: npt.NDArray[np.float64]) -> int:
    """The number of the key of a tune, in `KEYS`.

    Args:
        sounding: steps [12] of each pitch class; all alike: C major.
    """
    profiles = np.array([np.roll(p, tonic) for p in (_MAJOR, _MINOR) for tonic in range(12)])
    centred = profiles - profiles.mean(1, keepdims=True)
    found = centred @ (sounding - sounding.mean()) / np.linalg.norm(centred, axis=1)
    return int(found.argmax())
