"""Primary metrics: what each owns, and that a new one needs a class and a line in the table."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seqgan.config import EvaluationConfig, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.evaluation.comparison import Point, Sweep, decide
from seqgan.evaluation.primary import FALLBACK, PRIMARY, Densities, Embedded, Primary, choose
from seqgan.metrics.likelihood import SequenceScores

ROOT = Path(__file__).parents[3]
CONFIG = EvaluationConfig(
    num_samples=200, sweep_samples=100, temperatures=[0.8, 1.0, 1.25], resamples=200
)
JS, FED, NLL = PRIMARY["js"], PRIMARY["fed"], PRIMARY["nll"]
FPD = PRIMARY["picture-distance"]


def scores(nats: list[float], tokens: list[int]) -> SequenceScores:
    """Scores of sequences with these NLLs; the entropies are the NLLs."""
    values = torch.tensor(nats, dtype=torch.float64)
    return SequenceScores(-values, values, torch.tensor(tokens))


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=100, num_validation=80, num_heldout=20, num_test=80)
    return load_data("grammar", corpus, seed=1)


def test_held_out_nll_by_hand():
    point = Point(1.0, scores([3.0, 5.0], [1, 3]), scores([1.0], [1]))
    assert point.metric is NLL is FALLBACK and point.num_real == 2
    assert point.primary() == 2.0  # 8 nats, 4 tokens
    assert point.primary(np.array([1, 1])) == pytest.approx(10 / 6)


def test_jensen_shannon_over_rows_by_hand():
    # p = (1/2, 1/2), q = (1/4, 3/4); real 0, samples 1: each term is log of the share of the mean
    real, own = scores([math.log(4)], [1]), scores([math.log(4 / 3)], [1])
    half = np.log([0.5])
    point = Point(1.0, real, own, JS, Densities.of(half, half, real, own))
    expected = 0.5 * (math.log(0.5 / 0.375) + math.log(0.75 / 0.625))
    assert point.primary() == pytest.approx(expected)
    assert JS.of_real(point) == pytest.approx(0.5 * math.log(0.5 / 0.375))


def test_frechet_distance_over_rows_by_hand():
    found = Embedded(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0], [9.0]]))
    point = Point(1.0, scores([1.0], [1]), scores([1.0] * 3, [1] * 3), FED, found)
    assert point.num_real == 2
    assert point.primary(own=np.array([0, 1])) == pytest.approx(9)  # means 1 and 4, one spread


@pytest.mark.parametrize(
    ("metric", "in_nats", "families", "axis", "pooled", "title"),
    [
        (JS, True, ("top-p", "rejection"), "entropy", True,
         "Jensen-Shannon divergence, nats per sequence"),
        (FED, False, ("top-p", "rejection"), "self-bleu-4", False, "Frechet embedding distance"),
        (FPD, False, ("top-p", "rejection"), "self-bleu-4", False, "Frechet distance of pictures"),
        (NLL, True, (), "entropy", True, "held-out NLL, nats per token"),
    ],
)  # fmt: skip
def test_facts(metric, in_nats, families, axis, pooled, title):
    assert (metric.in_nats, metric.families, metric.axis.key) == (in_nats, families, axis)
    assert (metric.pooled, metric.title) == (pooled, title)
    assert bool(metric.excluded) == (not families)


def test_ceilings():
    measured, real = {"fed": 0.3}, {"nll": 2.0}
    assert [metric.ceiling(measured, real) for metric in (JS, FED, NLL)] == [0.0, 0.3, 2.0]
    assert [metric.ceiling({}, {}) for metric in (JS, FED, NLL)] == [0.0, None, None]


def test_the_first_that_suits_is_chosen(data):
    text, embedding = replace(data, density=None), replace(CONFIG, embedder="usem3")
    assert choose(data, embedding) is JS  # the density is known: that decides
    assert choose(text, embedding) is FED
    assert choose(text, CONFIG) is NLL
    assert choose(text, replace(embedding, primary="likelihood")) is NLL
    assert choose(data, replace(CONFIG, primary="likelihood")) is NLL


class MeanReward(Primary):
    """Minus the mean reward of samples, which is what a metric of a user's would be."""

    name, label, short, unit = "reward", "mean reward, negated", "R", "points"
    meaning, in_nats = "the mean reward", False

    def suits(self, data, config):
        return True

    def carry(self, prepared, real, drawn, split):
        return drawn.samples.lengths.double().numpy()

    def value(self, point, real=slice(None), own=slice(None)):
        return -float(point.carried[own].mean())

    def of_real(self, point, rows=slice(None)):
        return 0.0

    def terms(self, of, log_q):
        return -of.carried

    def ceiling(self, measured, real):
        return None


@pytest.fixture
def reward():
    """A table with one more primary metric, which comes first."""
    before, metric = dict(PRIMARY), MeanReward()
    PRIMARY.clear()
    PRIMARY.update({metric.name: metric, **before})
    yield metric
    PRIMARY.clear()
    PRIMARY.update(before)


def test_a_new_primary_metric_needs_a_class_and_a_line(data, reward):
    sweep, model = Sweep(data, CONFIG, 0), data.density
    assert sweep.metric is reward
    curve, other = sweep.points(model, "test"), model.tempered(0.5)
    verdict = decide(sweep.point(other, 2.0, "test"), curve[1], curve, CONFIG, 0)
    # the same model, made half as warm and twice as warm
    assert verdict.metric == "reward" and verdict.label == "not distinguishable"
    assert verdict.difference == pytest.approx(0, abs=1e-6)
    assert "mean reward, negated, points: -" in verdict.sentence
    # 0.1% of the value; no number of nats, which this is not in
    assert verdict.practical_size == pytest.approx(1e-3 * abs(verdict.mle_value))


def test_the_difference_of_a_new_metric_by_hand(reward):
    rewards = np.random.default_rng(0).normal(1.0, 0.1, 100)
    real, own = scores([2.0] * 3, [1] * 3), scores([2.0] * 100, [1] * 100)
    theirs = Point(1.0, real, own, reward, rewards)
    verdict = decide(replace(theirs, carried=rewards + 0.25), theirs, [theirs], CONFIG, 0)
    assert verdict.label == "better" and verdict.difference == pytest.approx(-0.25)
    assert verdict.interval == pytest.approx((-0.25, -0.25))  # samples are drawn in pairs


def test_no_other_file_knows_a_primary_metric_by_name():
    files = [*(ROOT / "seqgan").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert len(files) > 100
    literal = re.compile('"(js|fed)"')
    for path in files:
        name = str(path.relative_to(ROOT))
        if "primary" not in name and "catalogue" not in name:
            assert not literal.search(path.read_text(encoding="utf-8")), name
