"""The verdict by a reward of the user's own: literal numbers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rollout import Sequences
from seqgan.config import Distill, EvaluationConfig, PolicyGradient, RunConfig
from seqgan.evaluation import objective as module
from seqgan.evaluation.objective import Objective, _compared, mean_row
from seqgan.rewards.terms import Term, Terms


def test_a_row_has_a_normal_interval():
    row = mean_row("mle", np.array([1.0, 2.0, 3.0, 6.0]), 1.0, 0.5, 0.0, 7, 0.95)
    error = np.sqrt((4 + 1 + 0 + 9) / 3 / 4)
    assert row.reward == 3 and row.error == pytest.approx(error)
    assert row.low == pytest.approx(3 - 1.959964 * error) and row.calls == 7


@pytest.mark.parametrize(
    ("algorithm", "calls"),
    [
        (PolicyGradient(batch_size=64, rollouts=0), 600 * 64),
        (PolicyGradient(batch_size=8, rollouts=2, positions=4), 600 * 8 * (1 + 2 * 3)),
        (Distill(), 500),  # the samples of the pretrained policy, once
        (Distill(samples=1600, refresh=100), 6 * 1600),
        (Distill(samples=1600, refresh=250), 3 * 1600),
    ],
)
def test_the_sequences_that_a_training_judges(algorithm, calls):
    assert algorithm.judged(steps=600, length=10, training=500) == calls


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


def test_copies_of_each_other_and_of_training_sequences_by_hand():
    def sequences(*rows):
        return Sequences.from_lists([[*row, 2] for row in rows], 0, terminated=True)

    data = SimpleNamespace(train=sequences([5], [6, 7]), prompts=None)
    objective = Objective(None, None, data, EvaluationConfig(confidence=0.9), 0)
    samples = sequences([5], [5], [6], [8])
    row = module._described(objective, "mle", samples, np.arange(4.0), 0.5, 3)
    assert (row.unique, row.novel, row.reward) == (0.75, 0.5, 1.5)
    assert objective.training is objective.training  # made once


def test_the_mean_of_each_term_neither_weighted_nor_shaped():
    batch = Sequences.from_lists([[5, 2], [5, 6, 2], [2]], 0, terminated=True)
    known = torch.tensor([0.5, 0.75, 1.0])
    terms = [
        Term("length", 0.0, lambda sequences: sequences.lengths.float(), "step", 0.0, 1.0),
        Term("known", 2.0, lambda sequences: known),
    ]
    data = SimpleNamespace(train=batch, prompts=None)
    objective = Objective(None, None, data, EvaluationConfig(), 0)
    assert objective.terms(batch) == {}
    objective.reward = Terms(terms)
    assert objective.terms(batch) == {"length": 2.0, "known": 0.75}


class Fixed:
    """Models whose samples are all worth the same, by their name."""

    def __init__(self, worth):
        self.worth = worth

    def __call__(self, objective, name, *arguments):
        return mean_row(name, self.worth[name], 1.0, 1.0, 0.0, 7, 0.95)


@pytest.mark.parametrize(
    ("calls", "unfit", "label"),
    [
        (10_000, "", "better"),
        (200_001, "", "not comparable"),  # the best of n had fewer calls
        (10_000, "MLE was still improving.", "not comparable"),
    ],
)
def test_better_needs_equal_calls_and_a_trained_baseline(monkeypatch, calls, unfit, label):
    worth = {name: np.array([value, value + 0.1] * 300) for name, value in (
        ("mle", 0.0), ("best-of-n", 0.2), ("best-tenth", 0.1), ("finetuned", 1.0),
    )}  # fmt: skip
    row = Fixed(worth)
    monkeypatch.setattr(module, "_row", lambda objective, name, *rest: row(objective, name))
    monkeypatch.setattr(module, "_best_of", lambda objective, *rest: row(objective, "best-of-n"))
    monkeypatch.setattr(module, "_trained_on_best", lambda *_: (None, 5))

    class Without:
        mle = None

        def samples(self, *_):
            return None

        def questions(self, count):
            return None

    config = RunConfig(size="quick", rewards=["length"])
    found = module.verdict_of(Without(), None, calls, config, None, unfit)
    assert found.label == label and (unfit in found.sentence)
