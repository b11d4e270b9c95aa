"""The verdict, on points whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seqgan.config import LSTM, EvaluationConfig, GrammarCorpus, OracleCorpus
from seqgan.data.sources import load_data
from seqgan.evaluation.comparison import Point, Sweep, Swept, compare, compare_swept, decide
from seqgan.evaluation.primary import PRIMARY, Densities, Embedded
from seqgan.metrics.density import forward_kl_terms, jensen_shannon_terms, reverse_kl_terms
from seqgan.metrics.likelihood import SequenceScores
from seqgan.models import make_generator

CONFIG = EvaluationConfig(resamples=300, temperatures=[0.8, 1.0, 1.2], sweep_samples=400)


def point(temperature: float, nll: float, entropy: float, seed: int = 0, n: int = 500) -> Point:
    """A point with noise around its NLL and entropy a token; 10 tokens a sequence."""
    noise = np.random.default_rng(0).normal(0, 0.3, n)  # of the test sequences: the same for all
    own = np.random.default_rng(seed + 1).normal(0, 0.3, n)
    tokens = torch.full((n,), 10)
    real = SequenceScores(torch.tensor(-10 * (nll + noise)), torch.zeros(n), tokens)
    samples = SequenceScores(
        torch.zeros(n), torch.tensor(10 * (entropy + own - own.mean())), tokens
    )
    return Point(temperature, real, samples)


CURVE = [point(0.8, 4.2, 3.0), point(1.0, 4.0, 4.0), point(1.2, 4.2, 5.0)]


def test_the_same_model_is_not_distinguishable():
    verdict = decide(point(1.0, 4.0, 4.0), point(1.0, 4.0, 4.0), CURVE, CONFIG, 0)
    assert verdict.label == "not distinguishable"
    assert verdict.difference == pytest.approx(0, abs=1e-9)
    assert "not distinguishable from MLE" in verdict.sentence


@pytest.mark.parametrize(("nll", "label"), [(3.9, "better"), (4.1, "worse")])
def test_a_clear_difference_is_called_by_its_name(nll, label):
    verdict = decide(point(1.0, nll, 4.0, seed=5), point(1.0, 4.0, 4.0), CURVE, CONFIG, 0)
    assert verdict.label == label
    assert verdict.difference == pytest.approx(nll - 4.0, abs=1e-9)
    low, high = verdict.interval
    assert low < verdict.difference < high
    # entropies of 500 x 10 tokens with spread 0.3: errors of 0.013 each; the slope at 4.0 is 0
    assert high - low < 0.02


def test_what_is_left_of_a_difference_in_diversity_is_taken_out_along_mles_curve():
    rising = [point(1.0, 4.0, 4.0), point(1.2, 4.5, 5.0), point(1.4, 5.0, 6.0)]
    verdict = decide(point(1.0, 4.55, 5.1, seed=5), point(1.2, 4.5, 5.0), rising, CONFIG, 0)
    # MLE pays 0.5 a nat of entropy, so at 5.1 it would have 4.55 too
    assert verdict.difference == pytest.approx(0, abs=1e-9)
    assert verdict.label == "not distinguishable"
    # and the sampling error of the entropies counts
    low, high = verdict.interval
    assert high - low > 2 * 1.96 * 0.5 * 0.013


def test_outside_the_range_of_diversity_nothing_is_compared():
    verdict = decide(point(1.0, 3.0, 1.0), None, CURVE, CONFIG, 0)
    assert verdict.label == "not comparable" and verdict.difference is None
    assert "3.000 to 5.000" in verdict.sentence


def test_divergences_by_hand():
    # p = (1/2, 1/2, 0), q = (1/4, 1/4, 1/2), each sequence weighted as it would be drawn
    log_p = np.array([math.log(0.5), math.log(0.5), -math.inf])
    log_q = np.log([0.25, 0.25, 0.5])
    assert forward_kl_terms(log_p[:2], log_q[:2]).mean() == pytest.approx(math.log(2))
    assert reverse_kl_terms(log_p, log_q).tolist() == pytest.approx([-math.log(2)] * 2)
    js = (np.array([0.5, 0.5]) * jensen_shannon_terms("p", log_p[:2], log_q[:2])).sum()
    js += (np.exp(log_q) * jensen_shannon_terms("q", log_p, log_q)).sum()
    m = np.array([0.375, 0.375, 0.25])
    expected = 0.5 * (2 * 0.5 * math.log(0.5 / 0.375))
    expected += 0.5 * (2 * 0.25 * math.log(0.25 / 0.375) + 0.5 * math.log(0.5 / m[2]))
    assert js == pytest.approx(expected)


def test_far_apart_distributions_have_js_log_2():
    log_p, log_q = np.full(9, -10.0), np.full(9, -10_000.0)
    js = (
        jensen_shannon_terms("p", log_p, log_q).mean()
        + jensen_shannon_terms("q", log_q, log_p).mean()
    )
    assert js == pytest.approx(math.log(2))


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=50, num_validation=400, num_heldout=50, num_test=400)
    return load_data("grammar", corpus, seed=2)


def test_a_source_against_itself_has_divergence_zero(data):
    sweep = Sweep(data, CONFIG, 0)
    assert sweep.point(data.density, 1.0, "validation").primary() == pytest.approx(0, abs=1e-5)
    assert sweep.point(data.density, 0.6, "validation").primary() > 0.05


def test_equal_entropy_is_found_where_it_exists(data):
    sweep = Sweep(data, CONFIG, 0)
    around = sweep.points(data.density, "validation")
    target = sweep.point(data.density, 0.93, "validation").entropy()
    assert sweep.at_diversity(data.density, target, around) == pytest.approx(0.93, abs=0.01)
    assert sweep.at_diversity(data.density, 9.0, around) is None


def test_lowering_the_temperature_is_no_new_method(data):
    cooled = data.density.tempered(0.9)
    found = compare(data.density, cooled, data, CONFIG, 0, variants=False)
    assert found.verdict.label == "not distinguishable"
    assert set(found.to_dict()) == {"validation", "test", "real", "variants"}
    assert found.real["sequences"] == CONFIG.sweep_samples
    assert 0.5 < found.real["self-bleu-3"] < found.real["self-bleu-2"] < 1


def test_real_sequences_are_measured_once_for_each_number(data, monkeypatch):
    sweep = Sweep(data, CONFIG, 0)
    half, counts = sweep.halved(), []
    measured = Sweep._measured_real
    monkeypatch.setattr(
        Sweep, "_measured_real", lambda self: counts.append(self.count) or measured(self)
    )
    assert sweep.real() == sweep.real() and half.real()["sequences"] == half.count
    assert sweep.real()["sequences"] == sweep.count and counts == [sweep.count, half.count]


def test_validation_takes_each_policy_at_the_temperature_that_suits_it(data):
    plain, hot = Sweep(data, CONFIG, 0), Sweep(data, CONFIG, 0)
    assert plain.validate(data.density)["temperature"] == 1.0
    # logits times 1.2: at temperature 1.2 it is the source again
    found = hot.validate(data.density.tempered(1 / 1.2))
    assert found["temperature"] == 1.2
    assert found["score"] == pytest.approx(0, abs=1e-5)
    # the curves are those of the policy as it was trained, whatever temperature suits it
    here = hot.point(data.density.tempered(1 / 1.2), 1.0, "validation")
    assert found["trained_entropy"] == here.entropy() < found["entropy"]
    assert found["trained_nll"] == here.nll() > found["nll"]


def test_the_nll_under_the_source_by_hand():
    # Samples 0 0, 1 2, 3 1 of a source that writes 0 with 1/2, 1 with 1/4, 2 with 1/8 and never 3:
    # it could have written the first two, with 2 log 2 and 5 log 2 nats, of two tokens each.
    log_p = np.array([-2 * math.log(2), -5 * math.log(2), -math.inf])
    scores = SequenceScores(torch.full((3,), -2.0), torch.full((3,), 3.0), torch.full((3,), 2.0))
    found = Point(1.0, scores, scores).under_source(log_p)
    assert found == {
        "source_possible": pytest.approx(2 / 3), "source_nll": pytest.approx(7 * math.log(2) / 4),
        "trained_nll": 1.0, "trained_entropy": 1.5,
    }  # fmt: skip
    assert "source_nll" not in Point(1.0, scores, scores).under_source(np.full(3, -math.inf))


def test_the_primary_metric_on_a_known_density_is_js_by_hand():
    # p = (1/2, 1/2, 0), q = (1/4, 1/4, 1/2); real sequences 0, 1; samples 0, 1, 2, 2
    real = SequenceScores(torch.log(torch.tensor([0.25, 0.25])), torch.zeros(2), torch.ones(2))
    own = SequenceScores(
        torch.log(torch.tensor([0.25, 0.25, 0.5, 0.5])), torch.zeros(4), torch.ones(4)
    )
    half = math.log(0.5)
    sources = np.array([half] * 2), np.array([half, half, -np.inf, -np.inf])
    found = Point(1.0, real, own, PRIMARY["js"], Densities.of(*sources, real, own))
    m = np.array([0.375, 0.375, 0.25])
    expected = 0.5 * (2 * 0.5 * math.log(0.5 / m[0]))
    expected += 0.5 * (2 * 0.25 * math.log(0.25 / m[0]) + 0.5 * math.log(0.5 / m[2]))
    assert found.primary() == pytest.approx(expected, abs=1e-6)


def test_the_same_model_twice_has_no_uncertainty(data):
    sweep = Sweep(data, CONFIG, 0)
    cold = data.density.tempered(0.9)
    curve = sweep.points(data.density, "test")
    verdict = decide(
        sweep.point(cold, 1.0, "test"), sweep.point(cold, 1.0, "test"), curve, CONFIG, 0
    )
    assert verdict.interval == pytest.approx((0, 0), abs=1e-9)


def test_everything_is_chosen_on_validation_and_the_test_split_comes_last(data, monkeypatch):
    calls = []
    original = Sweep.point

    def spy(self, policy, temperature, split, count=None, surface=False, family="temperature"):
        calls.append((policy, temperature, split, count))
        return original(self, policy, temperature, split, count, surface, family)

    monkeypatch.setattr(Sweep, "point", spy)
    mle, other = data.density, data.density.tempered(1 / 1.2)
    found = compare(mle, other, data, replace(CONFIG, num_samples=777), 0)
    assert {split for *_, split, _ in calls[:6]} == {"validation"} and found.variants
    splits = [split for _, _, split, _ in calls]
    first = splits.index("test")
    assert set(splits[first:]) == {"test"} and set(splits[:first]) == {"validation"}
    best = min(found.validation["finetuned"], key=Point.primary).temperature
    assert best == 1.2 == found.verdict.finetuned_temperature
    assert (other, 1.2, "test", 777) in calls[first:]
    assert (mle, found.verdict.mle_temperature, "test", 777) in calls[first:]
    assert found.verdict.mle_temperature == pytest.approx(1.0, abs=0.02)


def embedded(mean: float, seed: int, n: int = 300) -> Point:
    """A point whose samples' embeddings are one normal number around a mean; real ones around 0."""
    plain = point(1.0, 4.0, 4.0, n=n)
    real = np.random.default_rng(9).normal(0, 1, (n, 1))
    own = np.random.default_rng(seed).normal(mean, 1, (n, 1))
    return replace(plain, metric=PRIMARY["fed"], carried=Embedded(real, own))


def test_the_frechet_distance_decides_where_there_are_embeddings():
    curve = [replace(embedded(1, 1), own=point(1, 4, e, n=300).own) for e in (3, 4, 5)]
    near, far = embedded(0.0, 1), embedded(1.0, 1)
    assert near.metric.name == "fed" and near.num_real == 300
    assert far.primary() - near.primary() == pytest.approx(1.0, abs=0.25)
    better = decide(near, far, curve, CONFIG, 0)
    assert better.label == "better" and better.metric == "fed"
    assert "Frechet embedding distance" in better.sentence
    assert decide(far, near, curve, CONFIG, 0).label == "worse"
    same = decide(embedded(0.5, 1), embedded(0.5, 2), curve, CONFIG, 0)
    assert same.label == "not distinguishable"
    low, high = same.interval
    assert low < 0 < high and (low + high) / 2 == pytest.approx(same.difference)


def letters(texts):
    """A toy encoder: how often each of eight letters occurs."""
    return [[text.count(letter) for letter in "aeinorst"] for text in texts]


def test_a_sweep_on_text_compares_equal_numbers(data):
    config = replace(CONFIG, embedder=f"{__name__}:letters", sweep_samples=500)
    assert Sweep(data, config, 0).metric.name == "js"  # the density is known: that decides
    text = replace(data, density=None)
    cold = data.density.tempered(0.5)
    sweep = Sweep(text, config, 0)
    found = sweep.point(cold, 1.0, "validation")
    assert [part.shape for part in found.carried] == [(400, 8), (400, 8)]
    right = sweep.point(data.density, 1.0, "validation").primary()
    assert 0 < right < found.primary()
    compared = compare(data.density, cold, text, replace(config, num_samples=900), 0)
    assert compared.verdict.metric == "fed"
    assert compared.verdict.finetuned_temperature == 1.2  # the one that undoes the most
    assert compared.verdict.at_end
    # training sequences are fewer than samples here, so none are compared with the test split
    assert "fed" not in compared.real


def test_a_divergence_at_its_ceiling_gives_way_to_the_likelihood():
    corpus = OracleCorpus(
        num_train=50, num_validation=60, num_heldout=50, num_test=60, vocabulary=300
    )
    oracle = load_data("oracle", corpus, seed=2)
    far = make_generator(LSTM(embedding=4, hidden=4), oracle.spec, 0)
    near, weak = Sweep(oracle, CONFIG, 0), Sweep(oracle, CONFIG, 0)
    near.settle(oracle.density)
    weak.settle(far)
    assert (near.metric.name, weak.metric.name) == ("js", "nll")
    assert weak.point(far, 1.0, "test").primary() == weak.point(far, 1.0, "test").nll()
    # and the verdict says by what it was reached
    assert compare(far, far, oracle, CONFIG, 0).verdict.metric == "nll"


def test_a_difference_of_no_practical_size_is_none():
    # equal in every sequence, so the interval is as narrow as can be; MLE's value is 3.99193
    verdict = decide(point(1.0, 3.9962, 4.0), point(1.0, 4.0, 4.0), CURVE, CONFIG, 0)
    assert verdict.interval == pytest.approx((-0.0038, -0.0038), abs=1e-9)
    assert verdict.label == "not distinguishable"
    assert verdict.practical_size == pytest.approx(0.00399193, abs=1e-8)
    assert verdict.sentence.endswith("A difference below 0.004 counts as none.")
    assert decide(point(1.0, 3.9958, 4.0), point(1.0, 4.0, 4.0), CURVE, CONFIG, 0).label == "better"


def test_the_frechet_distance_has_a_practical_size_too():
    curve = [replace(embedded(1, 1), own=point(1, 4, e, n=300).own) for e in (3, 4, 5)]
    first = embedded(10.0, 1)
    moved = first.carried.own - 2e-4  # 1e-4 x 2 x 10 of 100: a share of 4e-5
    verdict = decide(
        replace(first, carried=Embedded(first.carried.real, moved)), first, curve, CONFIG, 0
    )
    assert verdict.p_value < 1e-9 and verdict.interval[1] < 0
    assert verdict.label == "not distinguishable"


def test_the_frechet_distance_is_compared_without_its_bias():
    """Samples of N(0, s^2) in 8 dimensions against N(0, 1): the bias grows with s^2."""
    exact, found, plain = 8 * ((1 - 1.0) ** 2 - (1 - 0.6) ** 2), [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = 60
        real = rng.normal(size=(n, 8))
        wide, narrow = (
            replace(
                point(1.0, 4.0, 4.0, n=n),
                metric=PRIMARY["fed"],
                carried=Embedded(real, s * rng.normal(size=(n, 8))),
            )
            for s in (1.0, 0.6)
        )
        verdict = decide(wide, narrow, [wide, narrow], replace(CONFIG, resamples=30), seed)
        found.append(verdict.difference)
        plain.append(wide.primary() - narrow.primary())
        assert np.mean(verdict.draws) == pytest.approx(verdict.difference)
    error = np.std(found) / math.sqrt(len(found))
    assert abs(np.mean(found) - exact) < 3 * error
    assert np.mean(plain) - exact > 4 * error


def test_a_cooled_copy_of_a_model_differs_by_nothing(data):
    """Small samples and a coarse grid, where the slope along it says little."""
    config = replace(CONFIG, temperatures=[0.7, 1.0, 1.4], num_samples=300, sweep_samples=200)
    for seed, factor in enumerate((0.7, 0.85)):
        mle = data.density.tempered(1.1)
        verdict = compare(
            mle, mle.tempered(factor), data, config, seed, variants=False
        ).verdict  # fmt: skip
        assert abs(verdict.difference) < 1e-4, (seed, factor)
        assert verdict.label == "not distinguishable"


def test_both_models_are_matched_in_entropy_on_the_samples_that_are_compared(data):
    sweep = Sweep(data, CONFIG, 0)
    point_ = sweep.point(data.density.tempered(0.9), 1.0, "test", 700)
    assert sweep.match(data.density, point_, 0.93) == pytest.approx(0.9, abs=5e-4)
    assert sweep.match(data.density, point_, 0.7) == pytest.approx(0.9, abs=5e-4)


def test_draws_of_one_test_set_used_the_same_rows_whatever_the_seed():
    ours, theirs = point(1.0, 3.9, 4.0, seed=5), point(1.0, 4.0, 4.0)
    noise = np.random.default_rng(1).normal(0, 1, len(ours.real.tokens))
    changed = ours.real._replace(log_prob=ours.real.log_prob + torch.tensor(noise))
    ours = replace(ours, real=changed)  # a difference that varies from sequence to sequence
    draws = {
        (seed, name): np.array(decide(ours, theirs, CURVE, CONFIG, seed, name).draws)
        for seed in (0, 1)
        for name in ("one", "other")
    }
    assert np.corrcoef(draws[0, "one"], draws[1, "one"])[0, 1] > 0.99
    assert abs(np.corrcoef(draws[0, "one"], draws[0, "other"])[0, 1]) < 0.3


def test_a_test_set_is_named_by_its_sequences(data):
    name = Sweep(data, CONFIG, 0).test_set
    assert name == Sweep(data, CONFIG, 7).test_set
    shorter = replace(data, real_tokens=lambda split: data.real_tokens(split)[:-1])
    assert name != Sweep(shorter, CONFIG, 0).test_set


def test_a_model_is_swept_once_for_any_number_of_comparisons(data, monkeypatch):
    asked = []
    original = Sweep.points

    def spy(self, policy, split):
        asked.append((policy, split))
        return original(self, policy, split)

    monkeypatch.setattr(Sweep, "points", spy)
    config = replace(CONFIG, num_samples=300)
    sweep, cooled = Sweep(data, config, 0), data.density.tempered(0.9)
    mle = Swept(data.density, sweep)
    first, second = (compare_swept(mle, Swept(cooled, sweep)) for _ in range(2))
    assert [split for policy, split in asked if policy is data.density] == ["validation", "test"]
    assert first.verdict == second.verdict == compare(data.density, cooled, data, config, 0).verdict
    assert len(first.verdict.draws) == CONFIG.resamples and "draws" not in first.verdict.to_dict()
