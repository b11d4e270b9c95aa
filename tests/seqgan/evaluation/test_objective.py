"""The verdict by a reward of the user's own: literal numbers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rollout import Sequences
from seqgan.config import Distill, EvaluationConfig, PolicyGradient, RunConfig, reward_calls
from seqgan.config.reward_calls import announced, planned_calls, verdict_calls
from seqgan.evaluation import objective as objective_module
from seqgan.evaluation import objective_verdict as module
from seqgan.evaluation.objective import Objective
from seqgan.evaluation.objective_verdict import _compared, _kept
from seqgan.evaluation.reward_rows import Rewarded, mean_row
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
        (
            PolicyGradient(
                batch_size=8, rollouts=0, loss="reinforce", importance_cap=2.0, explorer_rate=0.1
            ),
            600 * 3 * 8,
        ),
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
    row = objective.described("mle", samples, Rewarded(np.arange(4.0)), 0.5, 3)
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
    objective.reward = lambda sequences: known
    assert objective.judged(batch).means() == {}
    objective.reward = Terms(terms)
    found = objective.judged(batch)
    assert found.means() == {"length": 2.0, "known": 0.75}
    assert found.total.tolist() == [1.0, 1.5, 2.0]


class Worth:
    """An objective whose models' samples are worth a number each, by name; counts what is judged.

    A sample is a sequence of one token, and its reward is the token times a hundredth.
    """

    def __init__(self, **worth):
        self.worth, self.mle, self.judgements = worth, None, {}
        self.data = SimpleNamespace(spec=SimpleNamespace(pad_id=0))

    def samples(self, policy, name, count, asked):
        key = "mle" if name.startswith("best-of-n") else name
        tokens = [self.worth[key] + i % 2 for i in range(count)]
        self.judgements[name] = count
        return Sequences.from_lists([[each] for each in tokens], 0)

    def questions(self, count):
        return count

    def judged(self, samples):
        return Rewarded(samples.tokens[:, 0].double().numpy() / 100)

    def row(self, name, samples, policy, calls, found=None):
        return self.described(name, samples, self.judged(samples), 0.0, calls)

    def described(self, name, samples, found, kl, calls):
        return mean_row(name, found.total, 1.0, 1.0, kl, calls, 0.95)


def judged(monkeypatch, calls, unfit="", **reward):
    """The verdict on a model that is worth twice as much as MLE, and what was judged for it."""
    monkeypatch.setattr(module, "_trained_on_best", lambda objective, calls, *_: (None, calls))
    monkeypatch.setattr(reward_calls, "MOST_CALLS", 12_000)
    lines = []
    runtime = SimpleNamespace(log=lambda stage, step, **each: lines.append((stage, step)))
    config = RunConfig(
        rewards=["length"], evaluation={"num_samples": 5_000}, reward=reward, size="quick"
    )
    objective = Worth(mle=10, finetuned=20, **{"best-tenth": 12})
    found = module.verdict_of(objective, None, calls, config, runtime, unfit)
    assert lines == [("verdict", i) for i in range(len(found.rows))]
    return found, objective.judgements


@pytest.mark.parametrize(
    ("calls", "unfit", "label", "best"),
    [
        (10_000, "", "better", 10_000),
        (4_660, "", "better", 4_660),  # the best 2,330 of two each: fewer than the 5,000 of others
        (40, "", "better", 40),
        (39, "", "not comparable", None),  # nothing to choose among
        (12_001, "", "not comparable", 10_000),  # the best of n had fewer calls
        (10_000, "MLE was still improving.", "not comparable", 10_000),
    ],
)
def test_better_needs_equal_calls_and_a_trained_baseline(monkeypatch, calls, unfit, label, best):
    found, _ = judged(monkeypatch, calls, unfit)
    assert found.label == label and unfit in found.sentence
    rows = {row.name: row for row in found.rows}
    assert ("best-of-n" in rows) == (best is not None)
    if best is not None:
        assert rows["best-of-n"].calls == best
        if best < calls:
            assert f"{best:,} of {calls:,}" in found.sentence
    else:
        assert "39 reward calls are too few for a best of n" in found.sentence


def test_samples_that_the_best_of_n_keeps():
    assert _kept(11_100, 1_000) == (1_000, 11) and _kept(10_000, 5_000) == (5_000, 2)
    assert _kept(9_999, 5_000) == (4_999, 2) and _kept(40, 5_000) == (20, 2)
    assert _kept(39, 5_000) == (0, 1)


def test_the_verdict_keeps_within_its_own_budget(monkeypatch):
    found, judgements = judged(monkeypatch, 10_000, verdict_calls=6_000)
    own = {name: n for name, n in judgements.items() if not name.startswith("best-of-n")}
    assert own == {"mle": 1_000, "best-tenth": 1_000, "finetuned": 1_000}
    best = sum(n for name, n in judgements.items() if name.startswith("best-of-n"))
    tenth = next(row.calls for row in found.rows if row.name == "best-tenth")
    assert best == tenth == 1_500  # the best 750 of two each
    assert found.label == "not comparable" and "had 1,500 of 10,000" in found.sentence


@pytest.mark.parametrize(("calls", "held"), [(24, 12), (30, 15), (40, 20), (1_000, 200)])
def test_the_best_tenth_takes_no_more_calls_than_it_has(monkeypatch, calls, held):
    monkeypatch.setattr(module, "own_copy", lambda model: torch.nn.Linear(1, 1))
    monkeypatch.setattr(module, "Pretraining", lambda *_: SimpleNamespace(run=lambda *_: None))
    many = Sequences.from_lists([[5]] * 2_000, 0)
    judged = []

    def rewarded(samples):
        judged.append(len(samples))
        return Rewarded(np.zeros(len(samples)))

    objective = SimpleNamespace(
        data=SimpleNamespace(train=many, validation=many), seed=0, mle=None, judged=rewarded
    )
    runtime = SimpleNamespace(device=torch.device("cpu"), apart=lambda: None)
    _, counted = module._trained_on_best(objective, calls, RunConfig().pretrain, runtime)
    assert judged == [calls - held, held] and counted == calls


def test_mle_is_judged_before_the_rounds_for_the_shape_that_asks_for_it():
    judged = []

    class Counted(Terms):
        def judge(self, sequences):
            judged.append(len(sequences))
            return super().judge(sequences)

    data = SimpleNamespace(prompts=lambda split: None, constraint=None)
    samples = Sequences.from_lists([[5, 2], [5, 6, 2]], 0, terminated=True)
    rest = None, data, EvaluationConfig(), 0
    for shape in ("none", "standardise"):
        terms = Counted([Term("length", 1.0, lambda each: each.lengths.float(), shape)])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(objective_module, "_samples", lambda *_: samples)
            objective = Objective(terms, *rest)
            assert not judged  # the main process alone settles it
            objective.settle()
            objective.settle()
            resumed = Objective(Counted([replace(terms.terms[0], centre=None)]), *rest)
            resumed.load_state_dict(objective.state_dict())
            resumed.settle()
    assert judged == [2]
    assert resumed.reward.centres == terms.centres != [None]
    config = RunConfig(rewards=[{"name": "length", "shape": "standardise"}], size="standard")
    assert (planned_calls(config).measurements, planned_calls(config).before) == (22, 1)


def test_explanations_are_a_part_of_the_verdicts_budget():
    def calls(length, limit):
        config = RunConfig(rewards=["length"], size="standard", reward={"verdict_calls": limit})
        return verdict_calls(config, 44_560, length)

    free, bound, tiny = calls(20, 0), calls(20, 6_000), calls(20, 1_000)
    assert free.explaining == bound.explaining == 6 * 20  # six samples without each of their tokens
    assert free.total == 3 * 5_000 + 2 * 44_560 + 120 and bound.total == 6_000
    assert (tiny.explaining, tiny.total) == (0, 1_000)  # 120 are more than a tenth


def test_the_budget_and_its_parts():
    def config(**reward):
        return RunConfig(rewards=["length"], size="standard", reward=reward)

    free = planned_calls(config())
    assert (free.training, free.validation, free.measurements) == (0, 2_000, 21)
    bound = planned_calls(config(calls=10_000))
    assert bound.validation == 238 and bound.training == 10_000 - 21 * 238
    assert planned_calls(config(calls=100_000)).training == 100_000 - 21 * 2_000
    tiny = planned_calls(config(calls=1))
    assert tiny.validation == 1 and tiny.training == 1
    assert verdict_calls(config(), 44_560).total == 3 * 5_000 + 2 * 44_560
    assert verdict_calls(config(verdict_calls=6_000), 44_560).total == 6_000
    line = announced(config(), length=20, training=8_000)
    assert "method rloo, no rollouts" in line
    assert "about 2,560 calls at most in training, 42,000 to choose the state" in line
    assert "104,120 for the verdict, 120 to explain samples" in line
    distilled = RunConfig(rewards=["length"], algorithm={"name": "distill"})
    line = announced(distilled, length=20, training=8_000)
    assert "algorithm distill; " in line and "rollouts" not in line
    mixed = RunConfig(rewards=["length", "discriminator"], reward={"calls": 50})
    assert planned_calls(mixed).training == 50  # validation is by likelihood
    assert planned_calls(RunConfig(reward={"calls": 50})).training == 0
