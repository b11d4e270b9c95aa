"""Expectations from the samples of two models together, by hand and against exact values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rollout import Sequences
from seqgan.evaluation.pooled import Drawn, Pooled
from seqgan.metrics.likelihood import SequenceScores

P, Q = (0.5, 0.5), (0.25, 0.75)
"""Two models of one token, 0 or 1."""


def drawn(model: tuple[float, float], tokens: list[int], askable: bool = True) -> Drawn:
    """Samples of a model; the entropy of a sequence is that of the model."""
    entropy = -sum(p * math.log(p) for p in model)

    def score(sequences: Sequences) -> SequenceScores:
        first = sequences.tokens[:, 0]
        ones = torch.ones(len(first), dtype=torch.float64)
        return SequenceScores(torch.tensor(model).double().log()[first], entropy * ones, ones)

    rows = Sequences(torch.tensor(tokens)[:, None], torch.ones(len(tokens), dtype=torch.int64))
    return Drawn(score(rows), rows, score if askable else None)


def test_by_hand():
    pooled = Pooled(drawn(P, [0, 1]), drawn(Q, [1, 1]))
    # mixture: 0 has 0.375, 1 has 0.625; weights of P 4/3, 4/5, of Q 2/3, 6/5
    values = [np.array([1.0, 0.0]), np.array([0.0, 0.0])]  # is it 0?
    p, q = (4 / 3) / (4 / 3 + 3 * 4 / 5), (2 / 3) / (2 / 3 + 3 * 6 / 5)
    assert pooled.mean(0, values) == pytest.approx(p)
    assert pooled.mean(1, values) == pytest.approx(q)
    assert pooled.entropy(0) == pytest.approx(math.log(2))
    # of the rows given: twice the 0 of the first, one 1 of the second
    p = 2 * (4 / 3) / (2 * 4 / 3 + 4 / 5)
    assert pooled.mean(0, values, [np.array([0, 0]), np.array([1])]) == pytest.approx(p)


def test_a_model_that_cannot_be_asked_keeps_to_its_own_samples():
    pooled = Pooled(drawn(P, [0, 1, 1], False), drawn(Q, [1, 1]))
    values = [np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0])]
    assert pooled.mean(0, values) == pytest.approx(1 / 3)


def test_close_models_differ_by_less_noise_than_their_samples_do():
    rng, p = np.random.default_rng(0), (0.5, 0.5)
    q = (0.49, 0.51)
    found, plain = [], []
    for _ in range(200):
        tokens = [[int(x) for x in rng.random(200) < model[1]] for model in (p, q)]
        pooled = Pooled(drawn(p, tokens[0]), drawn(q, tokens[1]))
        values = [np.array(part, float) for part in tokens]
        found.append(pooled.mean(1, values) - pooled.mean(0, values))
        plain.append(values[1].mean() - values[0].mean())
    assert np.mean(found) == pytest.approx(0.01, abs=1e-4)
    assert np.std(found) < np.std(plain) / 20
