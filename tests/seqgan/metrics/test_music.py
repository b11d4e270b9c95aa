"""Numbers of tunes, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from seqgan.metrics.music import (
    bar_repetition,
    in_scale,
    pitch_class_distance,
    scale_consistency,
)


def sounding(**steps: float) -> np.ndarray:
    """Steps of pitch classes by number: ``_0=3`` is three steps of C."""
    found = np.zeros(12)
    for name, value in steps.items():
        found[int(name[1:])] = value
    return found


def test_shares_of_a_scale():
    tune = sounding(_0=3, _4=2, _6=1)  # C, E, F#
    assert in_scale(tune, 0) == pytest.approx(5 / 6)  # C major lacks F#
    assert in_scale(tune, 7) == 1.0  # G major has all
    assert in_scale(tune, 12 + 4) == 1.0  # E minor is G major's
    assert in_scale(tune, 1) == pytest.approx(4 / 6)  # C# major: C and F#
    assert scale_consistency(tune) == 1.0
    assert scale_consistency(np.ones(12)) == pytest.approx(7 / 12)
    assert in_scale(np.zeros(12), 0) == scale_consistency(np.zeros(12)) == 0.0


def test_repeated_bars():
    a, b = [(0, 60, 12), (12, 62, 12)], [(0, 60, 12), (12, 62, 6)]
    assert bar_repetition([a, b, a, [], a]) == 0.5  # two of the four with notes
    assert bar_repetition([[], []]) == 0.0


def test_distance_of_pitch_classes():
    some = np.stack([sounding(_0=2), sounding(_0=1, _7=1)])  # 3/4 C, 1/4 G
    others = np.stack([sounding(_0=1, _2=1)])  # half C, half D
    assert pitch_class_distance(some, others) == pytest.approx((0.25 + 0.25 + 0.5) / 2)
    assert pitch_class_distance(some, some) == 0.0
    assert pitch_class_distance(some, np.stack([sounding(_1=1)])) == 1.0
