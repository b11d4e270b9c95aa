"""Numbers of tunes: the scale they keep to, and how often they repeat a bar.

Shapes: N tunes, 12 pitch classes from C.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["bar_repetition", "in_scale", "pitch_class_distance", "scale_consistency"]

Floats = npt.NDArray[np.float64]
_MAJOR = np.zeros(12)
_MAJOR[[0, 2, 4, 5, 7, 9, 11]] = 1.0
SCALES = np.array([np.roll(_MAJOR, tonic) for tonic in range(12)])
"""Members [12, 12] of the major scales from C on; a natural minor scale is that of its major."""


def in_scale(sounding: Floats, key: int) -> float:
    """Share of the sounding time on notes of a key's scale; 0 for silence.

    Args:
        sounding: steps [12] of each pitch class.
        key: 0 to 11 the major keys from C on, 12 to 23 the minor ones (natural minor).
    """
    total = float(sounding.sum())
    scale = SCALES[key if key < 12 else (key - 12 + 3) % 12]
    return float(scale @ sounding) / total if total else 0.0


def scale_consistency(sounding: Floats) -> float:
    """The largest such share over all scales (Mogren 2016, "C-RNN-GAN", there by notes)."""
    return max(in_scale(sounding, key) for key in range(12))


def bar_repetition(bars: Sequence[Iterable[Hashable]]) -> float:
    """Share of the bars that stand earlier in the tune, note for note; of bars with notes.

    Args:
        bars: for each bar its notes, their beginnings counted from that of the bar.
    """
    filled = [tuple(bar) for bar in bars]
    filled = [bar for bar in filled if bar]
    return 1 - len(set(filled)) / len(filled) if filled else 0.0


def pitch_class_distance(some: Floats, others: Floats) -> float:
    """Total variation between the shares of the pitch classes in two sets: 0 alike, 1 disjoint.

    Args:
        some: sounding time [N, 12].
        others: the same of other tunes.
    """
    shares = [each.sum(0) / max(float(each.sum()), 1e-12) for each in (some, others)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
