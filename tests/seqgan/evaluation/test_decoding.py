"""Other ways to sample from MLE, on policies whose distribution is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rollout import NucleusPolicy
from rollout.policy import WrappedPolicy
from seqgan.config import LSTM, EvaluationConfig, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.evaluation.comparison import Swept, compare, compare_swept
from seqgan.evaluation.decoding import RECENT, Decoder, in_words
from seqgan.evaluation.sweep import Sweep
from seqgan.metrics.density import jensen_shannon_terms
from seqgan.metrics.likelihood import sequence_scores
from seqgan.models import make_generator
from tests.rollout.chains import Chain, all_sequences

CONFIG = EvaluationConfig(
    resamples=100, temperatures=[0.7, 1.0, 1.2], sweep_samples=300, num_samples=600
)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain.random(4, 5, seed=3)


def test_a_rejected_model_has_the_density_that_enumeration_gives(chain):
    everything, exact = all_sequences(chain)
    q = exact.numpy()
    drawn = Decoder(0).draw(chain, "rejection", 0.5, "validation", 4_000)
    density = drawn.score(everything).log_prob.exp().numpy()
    kept = density > 0
    # the sequences above one threshold, each in proportion to its probability
    assert q[kept].min() > q[~kept].max()
    assert np.ptp(density[kept] / q[kept]) < 1e-4
    # 16,000 draws know the acceptance rate to 0.004
    assert density.sum() == pytest.approx(1, abs=0.03)
    assert q[kept].sum() == pytest.approx(0.5, abs=0.08)  # one sequence more or less
    # and the samples follow it: their mean of -log density is its entropy, whatever it sums to
    entropy = -(density[kept] * np.log(density[kept])).sum() / density.sum()
    error = float(drawn.own.entropy.std()) / math.sqrt(4_000)
    assert float(drawn.own.entropy.mean()) == pytest.approx(entropy, abs=4 * error + 0.02)
    assert float((drawn.own.entropy + drawn.own.log_prob).abs().max()) < 1e-9
    again = drawn.score(drawn.samples)
    assert torch.allclose(again.log_prob, drawn.own.log_prob, atol=1e-4)


def test_the_divergence_of_a_rejected_model_is_that_of_enumeration(chain):
    source = chain.tempered(0.8)
    everything, _ = all_sequences(chain)
    log_p = sequence_scores(source, everything).log_prob.numpy()
    drawn = Decoder(0).draw(chain, "rejection", 0.6, "test", 6_000)
    log_q = drawn.score(everything).log_prob.numpy()
    p, q = np.exp(log_p), np.exp(log_q)
    with np.errstate(all="ignore"):
        exact = (p * jensen_shannon_terms("p", log_p, log_q)).sum()
        exact += np.where(q > 0, q * jensen_shannon_terms("q", log_p, log_q), 0).sum()
    real = Decoder(5).draw(source, "temperature", 1.0, "test", 6_000)
    of_p = jensen_shannon_terms(
        "p", real.own.log_prob.numpy(), drawn.score(real.samples).log_prob.numpy()
    )
    of_q = jensen_shannon_terms(
        "q", real.score(drawn.samples).log_prob.numpy(), drawn.own.log_prob.numpy()
    )
    error = math.hypot(of_p.std(), of_q.std()) / math.sqrt(6_000)
    assert of_p.mean() + of_q.mean() == pytest.approx(exact, abs=4 * error)


def test_a_share_of_one_is_the_model_as_trained(chain):
    whole = Decoder(0).draw(chain, "temperature", 1.0, "test", 300)
    for family in ("rejection", "top-p"):
        same = Decoder(0).draw(chain, family, 1.0, "test", 300)
        assert torch.equal(same.samples.tokens, whole.samples.tokens)
        assert torch.allclose(same.own.log_prob, whole.own.log_prob, atol=1e-5)


def test_choosing_and_judging_have_samples_of_their_own(chain):
    decoder = Decoder(0)
    for family in ("temperature", "top-p", "rejection"):
        one, other = (
            decoder.draw(chain, family, 0.9, split, 50).samples.tokens
            for split in ("validation", "test")
        )
        assert not torch.equal(one, other)


@pytest.mark.parametrize("family", ["temperature", "top-p", "rejection"])
def test_what_is_kept_is_forgotten_on_demand(data, family):
    model = make_generator(LSTM(embedding=8, hidden=12), data.spec, 0)
    decoder = Decoder(0)
    before = decoder.draw(model, family, 0.9, "validation", 100)
    assert decoder.draw(model, family, 0.9, "validation", 100) is before
    with torch.no_grad():
        model.head.bias += torch.linspace(-1, 1, len(model.head.bias))
    decoder.forget()
    after = decoder.draw(model, family, 0.9, "validation", 100)
    expected = Decoder(0).draw(model, family, 0.9, "validation", 100)
    assert torch.equal(after.samples.tokens, expected.samples.tokens)
    assert torch.equal(after.own.log_prob, expected.own.log_prob)
    assert not torch.equal(after.own.log_prob, before.own.log_prob)


def test_what_was_used_last_is_kept_longest(chain):
    decoder = Decoder(0)

    def drawn(number):
        return decoder.draw(chain, "temperature", 1.0 + number, "validation", 5)

    first, second = drawn(0), drawn(1)
    for number in range(2, RECENT):
        drawn(number)
    assert drawn(0) is first  # now the newest; the second is the oldest
    drawn(RECENT)
    assert drawn(0) is first and drawn(1) is not second


@pytest.mark.parametrize("fused", [False, True])
def test_each_state_of_a_policy_in_training_gets_a_validation_of_its_own(data, fused):
    model = make_generator(LSTM(embedding=8, hidden=12), data.spec, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03, fused=fused)
    sweep, seen = Sweep(data, CONFIG, 0), []
    for _ in range(3):
        seen.append(sweep.validate(model)["nll"])
        optimizer.zero_grad()
        (-model(data.train.select(slice(0, 8))).log_prob.sum()).backward()
        optimizer.step()
        for temperature in CONFIG.temperatures:
            now = sweep.point(model, temperature, "validation").primary()
            sweep.decoder.forget()
            assert now == sweep.point(model, temperature, "validation").primary()
            sweep.decoder.forget()
    assert len(set(seen)) == 3


def test_ways_in_words():
    assert in_words("temperature", 0.95312) == "temperature 0.9531"
    assert in_words("top-p", 0.8765) == "top-p 0.876"
    assert in_words("rejection", 0.62) == "the 62% of its samples that it finds most likely"


class Noisy(WrappedPolicy):
    """A policy that emits any token now and then: what top-p takes away and temperature keeps."""

    def __init__(self, policy, share=0.08):
        super().__init__(policy)
        self.share = share

    def _mixed(self, logits):
        even = self.share / self.vocab_size
        return (logits.softmax(-1) * (1 - self.share) + even).log()

    def step(self, tokens, state):
        logits, state = self.policy.step(tokens, state)
        return self._mixed(logits), state

    def logits(self, sequences):
        return self._mixed(self.policy.logits(sequences))


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=400, num_validation=300, num_heldout=50, num_test=400)
    return load_data("grammar", corpus, seed=2)


def test_what_top_p_does_for_mle_is_no_new_method(data):
    mle = Noisy(data.density)
    method = NucleusPolicy(mle, 0.93)
    bare = compare(mle, method, data, CONFIG, 0, variants=False).verdict
    assert bare.label in ("better", "not comparable")
    found = compare(mle, method, data, CONFIG, 0)
    assert found.verdict.label != "better"
    assert found.verdict.mle_way.startswith(("top-p 0.9", "the "))
    assert found.verdict.mle_best_value < bare.mle_best_value  # top-p suits this model
    for curves in found.variants.values():
        assert set(curves) == {"top-p", "rejection"}
        assert [len(points) for points in curves.values()] == [6, 5]
    stored = found.to_dict()["variants"]["mle"]["rejection"]
    assert [point["rejection"] for point in stored] == [0.25, 0.5, 0.75, 0.9, 1.0]
    assert stored[0]["nll"] is None and stored[-1]["nll"] > 0
    assert all(a["entropy"] < b["entropy"] for a, b in zip(stored, stored[1:], strict=False))


def test_a_copy_of_mle_is_not_worse_for_the_way_it_is_sampled(data):
    """Top-p suits this model best: a copy that were swept over temperature alone would be worse."""
    mle, copy = Noisy(data.density), Noisy(data.density)
    found = compare(mle, copy, data, CONFIG, 0)
    assert found.verdict.finetuned_way.startswith("top-p 0.9")
    assert found.verdict.label == "not distinguishable"
    assert found.verdict.difference == pytest.approx(0, abs=1e-3)
    bare = compare(mle, copy, data, CONFIG, 0, variants=False).verdict
    assert bare.finetuned_way.startswith("temperature") and not found.variants["mle"] == {}
    assert bare.finetuned_value > found.verdict.finetuned_value


def test_under_the_likelihood_only_the_temperature_is_swept(data):
    text = replace(data, density=None)
    sweep = Sweep(text, CONFIG, 0)
    assert sweep.metric.name == "nll" and sweep.variants(data.density) == {}


def test_a_model_that_reads_noise_is_not_sampled_by_top_p(data):
    """Its density is a mixture over other draws of noise, which may cut a sample's tokens off."""
    model = make_generator(LSTM(hidden=8, embedding=8, noise=2), data.spec, seed=0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8)
    sweep = Sweep(data, CONFIG, 0)
    cut = sweep.decoder.draw(model, "top-p", 0.8, "validation", 300)
    assert bool(cut.own.entropy.isinf().any())  # why it is left out
    assert set(sweep.variants(model)) == {"rejection"}
    found = compare(model, model, data, CONFIG, 0).to_dict()
    json.dumps(found, allow_nan=False)


def letters(texts):
    """A toy encoder: how often each of eight letters occurs."""
    return [[text.count(letter) for letter in "aeinorst"] for text in texts]


def test_texts_are_compared_at_equal_self_bleu(data):
    text = replace(data, density=None)
    config = replace(CONFIG, embedder=f"{__name__}:letters")
    sweep = Sweep(text, config, 0)
    mle, method = Noisy(data.density), data.density
    point = sweep.point(method, 1.0, "test", 300)
    assert point.diversity() == pytest.approx(-point.self_bleu.mean())
    value = sweep.match(mle, point, 0.92, "top-p")
    matched = sweep.point(mle, value, "test", 300, family="top-p")
    assert matched.diversity() == pytest.approx(point.diversity(), abs=5e-3)
    found = compare_swept(Swept(mle, sweep), Swept(method, sweep))
    assert found.verdict.metric == "fed"
    assert set(found.variants["mle"]) == {"top-p", "rejection"}
    for points in found.variants["mle"].values():
        diversities = [each.diversity() for each in points]
        assert diversities[0] < diversities[-1]
        assert len({len(each.self_bleu) for each in points}) == 1  # it grows with the number


def test_a_control_with_half_of_the_samples_is_matched_by_as_many(data):
    """One model against itself: only the number of samples differs, and self-BLEU with it."""
    text = replace(data, density=None)
    sweep = Sweep(text, replace(CONFIG, embedder=f"{__name__}:letters"), 0)
    half, model = sweep.halved(), data.density
    assert half.decoder is not sweep.decoder
    one, two = (each.point(model, 1.0, "validation").diversity() for each in (sweep, half))
    assert two > one + 0.01  # fewer samples, less self-BLEU
    for first, second in ((sweep, half), (half, sweep)):
        found = compare_swept(Swept(model, first), Swept(model, second), variants=False)
        chosen = found.verdict.finetuned_temperature
        assert found.verdict.mle_temperature == pytest.approx(chosen, abs=0.02)
