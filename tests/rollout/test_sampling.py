"""Sampling frequencies, filters, and the corners of the inverse CDF."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import chisquare

from rollout import Sampler
from rollout.randomness import UniformStream, _mix, _signed
from rollout.sampling import inverse_cdf


def uniforms(shape, seed=0):
    stream = UniformStream(torch.Generator().manual_seed(seed), "cpu")
    return stream.uniforms(stream.rows(torch.arange(torch.Size(shape).numel())), 0).view(shape)


def expected_probs(logits: torch.Tensor, sampler: Sampler) -> torch.Tensor:
    """The filtered distribution, written the slow way for one row."""
    probs = (logits.double() / sampler.temperature).softmax(-1)
    order = probs.argsort(descending=True)
    if sampler.top_k is not None:
        probs[order[sampler.top_k :]] = 0
        probs /= probs.sum()
    if sampler.top_p is not None:
        mass = 0.0
        for token in order:
            if mass >= sampler.top_p:
                probs[token] = 0
            else:
                mass += probs[token].item()
        probs /= probs.sum()
    return probs


@pytest.mark.parametrize("vocab", [7, 100, 700, 1024])
@pytest.mark.parametrize(
    "sampler",
    [
        Sampler(),
        Sampler(temperature=0.5),
        Sampler(temperature=2.0),
        Sampler(top_k=5),
        Sampler(top_p=0.8),
        Sampler(temperature=1.5, top_k=6, top_p=0.9),
    ],
    ids=str,
)
def test_frequencies_match_probabilities(vocab, sampler):
    logits = 2.0 * torch.randn(vocab, generator=torch.Generator().manual_seed(vocab))
    logits[3] = -torch.inf
    draws = sampler.sample(logits.expand(4, -1), uniforms((4, 50_000), seed=1)).flatten()
    counts = torch.bincount(draws, minlength=vocab).double()
    probs = expected_probs(logits, sampler)
    assert counts[probs == 0].sum() == 0
    expected = probs * len(draws)
    common = expected >= 5
    observed = torch.cat([counts[common], counts[~common].sum()[None]])
    wanted = torch.cat([expected[common], expected[~common].sum()[None]])
    if wanted[-1] < 5:
        observed, wanted = observed[:-1], wanted[:-1] * observed[:-1].sum() / wanted[:-1].sum()
    assert chisquare(observed, wanted).pvalue > 1e-3


def test_the_index_is_where_the_cumulative_probability_passes_the_number():
    probs = torch.tensor([[0.1, 0.0, 0.4, 0.5]])
    numbers = torch.tensor([[0.05, 0.0999, 0.1001, 0.4999, 0.5001, 0.999999]])
    assert inverse_cdf(probs, numbers).tolist() == [[0, 0, 2, 2, 3, 3]]


@pytest.mark.parametrize("vocab", [511, 512, 513, 640, 5000, 5001])
def test_two_levels_agree_with_a_full_cumulative_sum(vocab):
    rng = torch.Generator().manual_seed(vocab)
    probs = torch.rand(64, vocab, generator=rng) ** 8
    probs[probs < 0.05] = 0
    numbers = uniforms((64, 20), seed=2)
    index = inverse_cdf(probs, numbers)
    cdf = probs.double().cumsum(-1)
    cdf = cdf / cdf[:, -1:]
    upper = cdf.gather(1, index)
    lower = torch.where(index > 0, cdf.gather(1, (index - 1).clamp(min=0)), 0.0)
    slack = 1e-5  # of float32 sums
    assert (probs.gather(1, index) > 0).all()
    assert ((numbers < upper + slack) & (numbers > lower - slack)).all()


@pytest.mark.parametrize("vocab", [5, 600])
def test_numbers_at_the_ends_never_pick_an_impossible_token(vocab):
    probs = torch.zeros(3, vocab)
    probs[0, 2] = 1.0
    probs[1, [1, 3]] = torch.tensor([1e-30, 1.0])
    probs[2, vocab - 2] = 3e-38
    ends = torch.tensor([2.0**-25, 1 - 2.0**-24, 1.0]).expand(3, -1)
    index = inverse_cdf(probs, ends)
    assert (probs.gather(1, index) > 0).all()


def test_one_number_serves_one_draw_for_every_shape():
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    numbers = uniforms((6, 3))
    together = Sampler().sample(logits, numbers)
    apart = torch.stack([Sampler().sample(logits, numbers[:, i]) for i in range(3)], dim=1)
    assert torch.equal(together, apart)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": -1.0}, "temperature must be above 0"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"temperature": float("inf")}, "temperature must be above 0 and finite"),
        ({"top_k": 0}, "top_k must be 1 or more"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "at most 1"),
    ],
)
def test_samplers_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sampler(**arguments)


def test_the_hash_is_splitmix64():
    # The first three numbers of SplitMix64 seeded with 0 (the generator's published test vector).
    gamma = 0x9E3779B97F4A7C15
    counters = torch.tensor([_signed(i * gamma % (1 << 64)) for i in (1, 2, 3)])
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert _mix(counters).tolist() == [_signed(value) for value in expected]


def test_numbers_are_uniform_and_places_unrelated():
    stream = UniformStream(torch.Generator().manual_seed(0), "cpu")
    keys = stream.rows(torch.arange(200)[:, None, None], torch.arange(20)[:, None], torch.arange(8))
    numbers = torch.stack([stream.uniforms(keys, t) for t in range(10)], dim=-1).double()
    assert 0 < numbers.min() and numbers.max() < 1
    counts = torch.histc(numbers.flatten(), bins=64, min=0, max=1)
    assert chisquare(counts).pvalue > 1e-3
    for dim in range(4):  # neighbours along every coordinate of the place
        a = numbers.narrow(dim, 0, numbers.shape[dim] - 1).flatten()
        b = numbers.narrow(dim, 1, numbers.shape[dim] - 1).flatten()
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 4 / len(a) ** 0.5
    assert len(keys.unique()) == keys.numel()


@pytest.mark.parametrize("vocab", [5, 600])
def test_nan_probabilities_give_an_index_inside(vocab):
    index = inverse_cdf(torch.full((2, vocab), float("nan")), uniforms((2, 3)))
    assert (index >= 0).all() and (index < vocab).all()


def test_a_nucleus_of_many_tokens_is_found_without_a_sort(monkeypatch):
    logits = torch.randn(5, 3000, generator=torch.Generator().manual_seed(0))
    logits[0] = 0.0  # 2,700 tokens are needed
    logits[1, 7] = 20.0  # one is enough
    probs, ids = Sampler(top_p=0.9).probabilities(logits)
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())  # by a sort, as on a GPU
    sorted_probs, sorted_ids = Sampler(top_p=0.9).probabilities(logits)
    assert probs.shape[1] <= sorted_probs.shape[1] == 3000
    for row in range(1, 5):
        kept, also = probs[row] > 0, sorted_probs[row] > 0
        assert torch.equal(ids[row][kept], sorted_ids[row][also])
        assert torch.allclose(probs[row][kept], sorted_probs[row][also])
    assert (probs[0] > 0).sum() in range(2698, 2703)
    monkeypatch.undo()
    sharp = 5 * logits[1:]  # within the first 64, where nothing is sorted
    assert Sampler(top_p=0.5).probabilities(sharp)[0].shape[1] == 64


def test_memory_that_is_used_again_changes_no_draw():
    kept = Sampler(0.7).reusing_memory()
    for rows, vocab, dtype in [(4, 700, torch.float32), (9, 50, torch.float32), (2, 700, None)]:
        logits = torch.randn(rows, vocab, generator=torch.Generator().manual_seed(rows))
        logits = logits if dtype else logits.double()
        numbers = uniforms((rows, 3))
        assert torch.equal(kept.sample(logits, numbers), Sampler(0.7).sample(logits, numbers))
    assert kept == Sampler(0.7) and kept.reusing_memory()._workspace is not kept._workspace


def test_numbers_drawn_ahead_are_the_same():
    stream = UniformStream(torch.Generator().manual_seed(0), "cpu")
    keys = stream.rows(torch.arange(6)[:, None], torch.arange(3))
    ahead = stream.ahead(keys, 4, 3)
    assert torch.equal(ahead, torch.stack([stream.uniforms(keys, t) for t in (4, 5, 6)]))


@pytest.mark.parametrize("shift", [-1e4, -300.0, -60.0, 60.0, 300.0, 1e4])
def test_a_constant_on_all_logits_changes_nothing(shift):
    # Weights of 2^logit leave the range of float32 long before: then the largest is subtracted.
    logits = (torch.arange(600) % 7).float()[None].repeat(40, 1)
    uniforms = (torch.arange(40) + 0.5) / 40
    plain = Sampler().sample(logits, uniforms)
    assert torch.equal(Sampler().sample(logits + shift, uniforms), plain)


def test_logits_far_apart_are_drawn_as_their_softmax_says():
    logits = torch.full((3, 600), -1e9)
    logits[0, 5], logits[1, 590] = 200.0, -200.0
    logits[2, [7, 300]] = torch.tensor([500.0, 500.0 + math.log(3)])
    assert Sampler().sample(logits[:2], torch.tensor([0.01, 0.99])).tolist() == [5, 590]
    # 1/4 and 3/4.
    found = Sampler().sample(logits[2:].repeat(2, 1), torch.tensor([0.249, 0.251]))
    assert found.tolist() == [7, 300]


def test_a_row_is_drawn_as_if_it_were_alone():
    logits = torch.randn(64, 600, generator=torch.Generator().manual_seed(3))
    logits[::3] += 400  # weights beyond float32
    logits[1::3] -= 400  # and below
    numbers = uniforms((64,), 4)
    together = Sampler().sample(logits, numbers)
    alone = [Sampler().sample(logits[i : i + 1], numbers[i : i + 1]) for i in range(64)]
    assert torch.equal(together, torch.cat(alone))
