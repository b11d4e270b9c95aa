"""Scores, signatures and bootstrap intervals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import bootstrap

from seqgan.config.version import __version__
from seqgan.errors import MetricError
from seqgan.metrics import (
    Score,
    bootstrap_interval,
    corpus_bleu,
    jackknife_interval,
    signature,
    statistic_interval,
    wilson_interval,
)
from seqgan.metrics import score as module


def test_a_signature_holds_the_settings_in_their_order_and_the_version_last():
    got = signature("self-bleu-4", refs="leave-one-out", tok="words", n=10_000, unk=None, lc=False)
    expected = (
        f"metric:self-bleu-4|refs:leave-one-out|tok:words|n:10000|lc:no|version:{__version__}"
    )
    assert got == expected
    with pytest.raises(MetricError, match="cannot hold"):
        signature("bleu-2", tok="a|b")


def test_a_score_is_checked_and_printed():
    score = Score("bleu-2", 0.51234, (0.5, 0.525), 100, "higher", "metric:bleu-2")
    assert str(score) == "bleu-2 = 0.5123 [0.5000, 0.5250] (metric:bleu-2)"
    assert str(Score("length", 9.5, None, 100, "none", "s")) == "length = 9.5000 (s)"
    with pytest.raises(MetricError, match="direction"):
        Score("bleu-2", 0.5, None, 100, "up", "s")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="upside down"):
        Score("bleu-2", 0.5, (0.6, 0.4), 100, "higher", "s")


def test_a_score_of_values_is_their_mean():
    score = Score.from_values("x", [0.0, 1.0, 1.0, 1.0] * 50, direction="lower", signature="s")
    assert (score.value, score.n, score.direction) == (0.75, 200, "lower")
    assert score.interval is not None
    low, high = score.interval
    assert 0.67 < low < 0.71 and 0.79 < high < 0.83  # 0.75 +- 1.96 sqrt(.75 .25 / 200) = .69, .81


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng.exponential(size=100), 0.8, 300, seed)
        hits += low <= 1.0 <= high
    assert 0.70 < hits / 200 < 0.88  # 0.8 within three standard errors, and a little below for n


def test_the_interval_is_reproducible_and_degenerate_where_all_values_agree():
    values = np.linspace(0, 1, 50)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)
    narrow, wide = bootstrap_interval(values, 0.5), bootstrap_interval(values, 0.99)
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]
    assert bootstrap_interval([0.25] * 10) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        ([0.5], {}),
        ([], {}),
        ([0.5, float("nan")], {}),
        ([[0.5, 0.5]], {}),
        ([0.5, 0.6], {"confidence": 1.0}),
        ([0.5, 0.6], {"resamples": 0}),
    ],
)
def test_an_interval_that_makes_no_sense_is_a_typed_error(values, settings):
    with pytest.raises(MetricError):
        bootstrap_interval(values, **settings)


@pytest.mark.parametrize("batch", [1 << 17, 30])
def test_more_draws_than_are_kept_give_the_same_interval(monkeypatch, batch):
    values, made = np.arange(13.0) ** 2, []
    monkeypatch.setattr(module, "BATCH_NUMBERS", batch)
    module._kept_draws.cache_clear()
    wanted = bootstrap_interval(values, 0.9, 50, 3)
    plain = module._draws
    monkeypatch.setattr(module, "_draws", lambda *asked: made.append(asked) or plain(*asked))
    assert bootstrap_interval(values, 0.9, 50, 3) == wanted and not made  # kept
    monkeypatch.setattr(module, "MOST_KEPT", 13 * 50 - 1)
    assert bootstrap_interval(values, 0.9, 50, 3) == wanted and len(made) == 1
    module._kept_draws.cache_clear()


def test_the_interval_of_a_quotient_draws_both_parts_together():
    nats, tokens = np.array([2.0, 4.0, 6.0] * 30), np.array([1.0, 2.0, 3.0] * 30)

    def quotient(a, b):
        return a / b

    assert statistic_interval(quotient, (nats, tokens), True) == pytest.approx((2, 2))
    low, high = statistic_interval(quotient, (nats, tokens), False)
    assert low < 1.8 and high > 2.2


@pytest.mark.parametrize("paired", [False, True])
def test_intervals_are_those_of_scipy(paired):
    """The plain way: every resample drawn anew for every score."""
    rng = np.random.default_rng(3)
    nats, tokens = rng.exponential(size=37), rng.integers(1, 9, size=37).astype(float)
    arrays = (nats, tokens) if paired else (nats,)

    def plain(*drawn, axis):
        means = [each.mean(axis) for each in drawn]
        return means[0] / means[1] if paired else means[0]

    expected = bootstrap(
        arrays, plain, paired=paired, vectorized=True, n_resamples=300, confidence_level=0.9,
        method="percentile", random_state=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    found = statistic_interval(
        lambda a, b=1.0: a / b, arrays, paired, confidence=0.9, resamples=300, seed=5
    )  # fmt: skip
    assert found == pytest.approx(tuple(expected), abs=1e-12)


def test_sets_of_different_sequences_are_drawn_apart():
    """Else the difference of two equal sets would not vary."""
    values = np.random.default_rng(0).normal(size=200)
    low, high = statistic_interval(lambda a, b: a - b, (values, values), False)
    assert low == pytest.approx(-1.96 * (2 / 200) ** 0.5, rel=0.15) and high > 0.15
    assert statistic_interval(lambda a, b: a - b, (values, values), True) == (0.0, 0.0)
    with pytest.raises(MetricError, match=r"paired values differ in number: \[200, 3\]"):
        statistic_interval(lambda a, b: a - b, (values, [1.0, 2.0, 3.0]), True)


def test_corpus_bleu_by_hand():
    # Unigrams 3 + 1 of 3 + 2, bigrams 2 + 0 of 2 + 1; 5 tokens against 4 + 2: exp(1 - 6/5).
    hypotheses = [["a", "b", "c"], ["x", "y"]]
    references = [[["a", "b", "c", "d"]], [["x", "z"]]]
    score = corpus_bleu(hypotheses, references, 2)
    assert score.value == pytest.approx((4 / 5 * 2 / 3) ** 0.5 * np.exp(1 - 6 / 5), abs=1e-9)
    assert (score.name, score.n, score.direction) == ("corpus-bleu-2", 2, "higher")
    assert "tok:none" in score.signature and "smooth:exp" in score.signature


def test_corpus_bleu_keeps_tokens_whole_and_takes_any_number_of_references():
    spaces = [["New York", "\u2028", "", "."], ["\ud800"]]
    assert corpus_bleu(spaces, [[spaces[0]], [["b"], ["\ud800"]]], 1).value == pytest.approx(1)
    assert corpus_bleu([["New York"]], [[["New", "York"]]], 1).value == 0
    assert corpus_bleu([["A"]], [[["a"]]], 1).value == 0
    assert corpus_bleu([[]], [[["a"]]], 1).value == 0
    assert corpus_bleu([[1, 2]], [[[1, 2, 3], [1, 2]]], 2).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([["a"]], []), "1 hypotheses but references for 0"),
        (([["a"]], [[]]), r"references\[0\]: at least 1"),
        (([], []), "hypotheses: at least 1"),
        (([["a"]], [[["a"]]], 4), None),
    ],
)
def test_corpus_bleu_errors(arguments, message):
    if message is None:
        with pytest.raises(MetricError, match="smooth must be one of"):
            corpus_bleu(*arguments, smooth="method1")
        return
    with pytest.raises(MetricError, match=message):
        corpus_bleu(*arguments)


def test_the_metrics_need_neither_torch_nor_matplotlib():
    code = "import sys, seqgan.metrics; print({'torch', 'matplotlib'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_wilson_by_hand():
    # z = 1.959964, z^2 = 3.841459; for a share of 1: low = n / (n + z^2)
    assert wilson_interval(1.0, 1000) == pytest.approx((1000 / 1003.841459, 1.0), abs=1e-8)
    assert wilson_interval(0.0, 1000) == pytest.approx((0.0, 3.841459 / 1003.841459), abs=1e-8)
    # 5 of 10: centre 0.5, reach z sqrt(0.025 + z^2 / 400) / (1 + z^2 / 10)
    reach = 1.959964 * (0.025 + 3.841459 / 400) ** 0.5 / 1.3841459
    assert wilson_interval(0.5, 10) == pytest.approx((0.5 - reach, 0.5 + reach), abs=1e-6)
    for share, count in ((1.1, 5), (0.5, 0)):
        with pytest.raises(MetricError, match="a share lies in"):
            wilson_interval(share, count)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    # leaving out each of 1, 2, 3, 6 (mean 3): 11/3, 10/3, 3, 2; s / sqrt(4) = sqrt(14 / 3) / 2
    low, high = jackknife_interval(3.0, [11 / 3, 10 / 3, 3.0, 2.0])
    error = (14 / 3) ** 0.5 / 2
    assert (low, high) == pytest.approx((3 - 3.182446 * error, 3 + 3.182446 * error), abs=1e-5)
    with pytest.raises(MetricError, match="two groups"):
        jackknife_interval(1.0, [1.0])
