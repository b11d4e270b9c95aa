"""MS-Jaccard by hand and by plain counting."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from seqgan.errors import MetricError
from seqgan.metrics import ms_jaccard


def by_counting(generated, real, max_order):
    """The paper's formula with dictionaries."""
    product, scores = 1.0, {}
    for order in range(1, max_order + 1):
        sides = []
        for rows in (generated, real):
            counts = Counter(
                tuple(row[i : i + order]) for row in rows for i in range(len(row) - order + 1)
            )
            sides.append({gram: count / len(rows) for gram, count in counts.items()})
        grams = sides[0].keys() | sides[1].keys()
        pairs = [(sides[0].get(g, 0), sides[1].get(g, 0)) for g in grams]
        product *= sum(map(min, pairs)) / sum(map(max, pairs))
        scores[order] = product ** (1 / order)
    return scores


def test_by_hand():
    # Per sequence, generated: a 1, b 1/2, c 1/2, ab 1/2, ac 1/2; real: a 1, b 1, ab 1.
    # J1 = (1 + 1/2) / (1 + 1 + 1/2) = 3/5; J2 = (1/2) / (1 + 1/2) = 1/3.
    got = ms_jaccard([["a", "b"], ["a", "c"]], [["a", "b"]], 3)
    assert got[1] == pytest.approx(3 / 5, abs=1e-12)
    assert got[2] == pytest.approx(math.sqrt(3 / 5 * 1 / 3), abs=1e-12)
    assert math.isnan(got[3])  # neither side has a trigram


def test_equal_frequencies_score_one_and_disjoint_ones_zero():
    rows = [["a", "b", "a"], ["b", "c"]]
    assert ms_jaccard(rows, rows + rows, 3) == pytest.approx({1: 1, 2: 1, 3: 1}, abs=1e-12)
    assert ms_jaccard(rows, [["x", "y"]], 2) == {1: 0, 2: 0}
    assert ms_jaccard(rows, [["a", "x", "b", "c"]], 3)[3] == 0


@pytest.mark.parametrize("seed", range(20))
def test_equals_plain_counting_and_is_symmetric(seed):
    rng = np.random.default_rng(seed)
    real, generated = (
        [rng.integers(0, 4, size=rng.integers(0, 11)).tolist() for _ in range(size)]
        for size in (30, 17)
    )
    got = ms_jaccard(generated, real, 4)
    assert got == pytest.approx(by_counting(generated, real, 4), abs=1e-12)
    assert got == pytest.approx(ms_jaccard(real, generated, 4), abs=1e-12)


def test_an_empty_set_is_a_typed_error():
    with pytest.raises(MetricError, match="real: at least 1"):
        ms_jaccard([["a"]], [])
    with pytest.raises(MetricError, match="generated: at least 1"):
        ms_jaccard([], [["a"]])
