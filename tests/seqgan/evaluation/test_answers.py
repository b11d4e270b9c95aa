"""Scores of conditional models: labels that are found, answers that fit their source."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from rollout import Policy, generate
from seqgan.config import EvaluationConfig
from seqgan.config.drawn_corpus import StylesCorpus, TranslationCorpus
from seqgan.data.sources import load_data
from seqgan.errors import MetricError
from seqgan.evaluation.answers import AnswerScores
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.scoring import Scorer
from seqgan.metrics.catalogue import find
from seqgan.metrics.label_classifier import LabelClassifier

SIZES = {"num_train": 400, "num_validation": 30, "num_heldout": 30, "num_test": 60}
EVALUATION = EvaluationConfig(num_samples=60, resamples=20)


def test_naive_bayes_by_hand():
    rows = [["a", "b"], ["a"], ["b", "c"]]
    judge = LabelClassifier(rows, [0, 0, 1], 2)
    # of ["a", "c"]: "a" in 2 of 2 and 0 of 1, "c" in 0 of 2 and 1 of 1; the pair was never seen
    expected = [
        math.log(2 / 3) + math.log(3 / 4) + math.log(1 / 4),
        math.log(1 / 3) + math.log(1 / 3) + math.log(2 / 3),
    ]
    assert judge.log_odds([["a", "c"]])[0].tolist() == pytest.approx(expected)
    assert judge.labels([["a"], ["c"], ["b", "c"]]).tolist() == [0, 1, 1]
    with pytest.raises(MetricError, match="label 1 has no sequence"):
        LabelClassifier(rows, [0, 0, 0], 2)
    with pytest.raises(MetricError, match="3 sequences but 2 labels"):
        LabelClassifier(rows, [0, 1], 2)


def scores_of(found) -> dict[str, Any]:
    assert all(find(score.name) is not None for score in found)
    json.dumps([asdict(score) for score in found], allow_nan=False)  # as results.json has them
    return {score.name: score for score in found}


class Turned(Policy):
    """The source of the styles, which gives the other style than it is asked for."""

    def __init__(self, policy):
        self.policy = policy
        for name in ("vocab_size", "bos_id", "eos_id", "pad_id", "max_length"):
            setattr(self, name, getattr(policy, name))

    def initial_state(self, batch_size, condition=None):
        return self.policy.initial_state(batch_size, {"label": 1 - condition["label"]})

    def step(self, tokens, state):
        logits, state = self.policy.step(tokens, state)
        return logits.clamp(min=-30.0), state


@pytest.fixture(scope="module")
def styles():
    return load_data("styles", StylesCorpus(**SIZES), seed=2)


def test_the_style_that_was_asked_for_is_found(styles):
    evaluator = Evaluator(styles, EVALUATION, 0)
    right, real = (
        scores_of(evaluator.model(styles.density, "right")[0]),
        scores_of(evaluator.real()),
    )
    wrong = scores_of(evaluator.model(Turned(styles.density), "wrong")[0])
    for name in ("label-accuracy", "label-accuracy@casual", "label-accuracy@formal"):
        assert right[name].value >= 0.95 and real[name].value >= 0.95 and wrong[name].value < 0.05
    assert right["label-accuracy@casual"].n + right["label-accuracy@formal"].n == 60
    assert "classifier:naive-bayes-1-2" in right["label-accuracy"].signature
    total = sum(
        right[f"nll@{x}"].value * tokens(styles, i) for i, x in enumerate(("casual", "formal"))
    )
    assert total / int(styles.test.lengths.sum()) == pytest.approx(right["nll"].value, rel=1e-6)
    assert wrong["nll@casual"].value > 5 * right["nll@casual"].value


def test_the_classifier_learns_from_what_no_generator_saw(styles):
    """Held-out text, if there is enough of it: memorised texts would count as right."""
    many = StylesCorpus(**SIZES | {"num_validation": 150, "num_heldout": 150})
    data = load_data("styles", many, seed=2)
    known = scores_of(Evaluator(data, EVALUATION, 0).real())["label-accuracy"]
    assert "on:heldout+validation" in known.signature and known.value >= 0.95
    few = scores_of(Evaluator(styles, EVALUATION, 0).real())["label-accuracy"]
    assert "on:train" in few.signature


def test_a_label_that_no_test_sequence_has_has_no_score(styles):
    casual = styles.test.condition["label"] == 0
    data = replace(
        styles, test=styles.test.select(casual),
        real_tokens=lambda name: styles.codec.rows(getattr(data, name)),
    )  # fmt: skip
    found = scores_of(Evaluator(data, EVALUATION, 0).model(styles.density, "right")[0])
    assert found["nll@casual"].value == pytest.approx(found["nll"].value)
    assert "nll@formal" not in found and "label-accuracy@formal" not in found


def tokens(data, label: int) -> int:
    return int(data.test.lengths[data.test.condition["label"] == label].sum())


class Answers(Policy):
    """Gives the test split's answer to each source, or that of another one."""

    def __init__(self, data, shift: int):
        spec, test = data.spec, data.test
        self.vocab_size, self.max_length = spec.vocab_size, spec.max_length
        self.bos_id, self.eos_id, self.pad_id = spec.bos_id, spec.eos_id, spec.pad_id
        self.rows = {tuple(x): i for i, x in enumerate(test.condition["source"].tolist())}
        self.targets = test.tokens.roll(shift, 0)

    def initial_state(self, batch_size, condition=None):
        rows = [self.rows.get(tuple(x), 0) for x in condition["source"].tolist()]
        return torch.tensor(rows), torch.zeros(batch_size, dtype=torch.int64)

    def step(self, tokens, state):
        rows, places = state
        wanted = self.targets[rows, places.clamp(max=self.targets.shape[1] - 1)]
        logits = torch.full((len(tokens), self.vocab_size), -8.0)
        return logits.scatter(1, wanted[:, None], 0.0), (rows, places + 1)


@pytest.fixture(scope="module")
def translation():
    return load_data("translation", TranslationCorpus(**SIZES), seed=2)


def test_the_interval_of_a_corpus_score_has_the_confidence_asked_for(translation):
    from sacrebleu.metrics import BLEU

    hypotheses = translation.codec.texts(translation.test)
    streams = [hypotheses[-5:] + hypotheses[:-5]]
    ends = []
    for confidence in (0.5, 0.99):
        scores = AnswerScores(translation, Scorer(200, confidence, 0), 60)
        ends.append(scores._pair_interval(BLEU(), hypotheses, streams))
    (low, high), (lower, higher) = ends
    value = BLEU().corpus_score(hypotheses, streams).score / 100
    assert lower < low < value < high < higher
    # of two answers, one right and one wrong: a quarter of the resamples are all right
    two = [["a b c d e", "f g h i j"], [["a b c d e", "v w x y z"]]]
    scores.score = Scorer(400, 0.9, 0)
    assert scores._pair_interval(BLEU(), *two) == pytest.approx((0, 1))
    assert scores._pair_interval(BLEU(), ["a"], [["b"]]) is None


def test_answers_are_compared_with_those_of_the_test_split(translation):
    from sacrebleu.metrics import BLEU, CHRF

    data = translation
    evaluator = Evaluator(data, EVALUATION, 0)
    right = scores_of(evaluator.model(Answers(data, 0), "right")[0])
    assert right["pair-bleu"].value == pytest.approx(1) and right[
        "pair-chrf"
    ].value == pytest.approx(1)
    wrong = scores_of(evaluator.model(Answers(data, 1), "wrong")[0])
    references = data.codec.texts(data.test)
    hypotheses = references[-1:] + references[:-1]
    for name, metric in (("pair-bleu", BLEU()), ("pair-chrf", CHRF())):
        exact = metric.corpus_score(hypotheses, [references]).score / 100
        assert wrong[name].value == pytest.approx(exact) and exact < 0.5
        low, high = wrong[name].interval
        assert low < exact < high
        ours, theirs = wrong[name].signature.split("|"), str(metric.get_signature()).split("|")
        assert set(theirs) <= set(ours) and f"metric:{name}" in ours
        assert "bootstrap:0.95/20" in ours
    assert np.isfinite(wrong["nll"].value) and "label-accuracy" not in wrong
    assert generate(Answers(data, 0), 60, condition=data.test.condition).lengths.max() <= 9
