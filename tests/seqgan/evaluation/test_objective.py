"""The verdict by a reward of the user's own: literal numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seqgan.evaluation.objective import _compared, mean_row


def test_a_row_has_a_normal_interval():
    row = mean_row("mle", np.array([1.0, 2.0, 3.0, 6.0]), 1.0, 0.5, 0.0, 7, 0.95)
    error = np.sqrt((4 + 1 + 0 + 9) / 3 / 4)
    assert row.reward == 3 and row.error == pytest.approx(error)
    assert row.low == pytest.approx(3 - 1.959964 * error) and row.calls == 7


@pytest.mark.parametrize(
    "mean, label, words",
    [
        (2.0, "better", "better than"),
        (1.1, "not distinguishable", "not distinguishable from"),
        (0.5, "worse", "worse than"),
    ],
)
def test_the_label(mean, label, words):
    rival = mean_row("best-of-n", np.array([0.5, 1.5] * 50), 1.0, 1.0, 0.0, 1, 0.95)
    found = replace(rival, name="finetuned", reward=mean)
    said, sentence = _compared(found, rival, 0.95)
    assert said == label and f"is {words} best of n of MLE" in sentence
    assert f"difference {mean - 1:+.4f}" in sentence
