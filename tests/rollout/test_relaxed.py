"""Gumbel draws: exact frequencies, exact one-hot vectors, exact gradients."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import binomtest, chisquare

from rollout import (
    TEMPERATURE_SCHEDULES,
    gumbel_max,
    gumbel_noise,
    gumbel_noise_at,
    gumbel_softmax,
)
from rollout.randomness import UniformStream


def stream(seed=0):
    return UniformStream(torch.Generator().manual_seed(seed), "cpu")


def noise_for(count, vocab, seed=0, position=0):
    source = stream(seed)
    return gumbel_noise_at(source, source.rows(torch.arange(count)), position, vocab)


def test_gumbel_noise_by_hand():
    u = torch.tensor([math.exp(-1), math.exp(-math.e), math.exp(-0.5)], dtype=torch.float64)
    assert gumbel_noise(u).tolist() == pytest.approx([0.0, -1.0, math.log(2)])


def test_gumbel_noise_has_its_mean_and_variance():
    noise = noise_for(20_000, 2).double()
    assert abs(noise.mean() - 0.5772156649) < 4 * (math.pi**2 / 6 / 40_000) ** 0.5
    assert noise.var().item() == pytest.approx(math.pi**2 / 6, rel=0.05)


def test_noise_belongs_to_its_place():
    source = stream(5)
    rows = source.rows(torch.arange(6))
    whole = gumbel_noise_at(source, rows, 3, 7)
    assert torch.equal(gumbel_noise_at(source, rows[2:5], 3, 7), whole[2:5])
    assert torch.equal(gumbel_noise_at(source, rows, 3, 4), whole[:, :4])
    assert not torch.isin(gumbel_noise_at(source, rows, 4, 7), whole).any()
    assert len(whole.unique()) == whole.numel()


LOGITS = torch.tensor([2.0, -1.0, 0.5, -math.inf, 0.0])


def test_gumbel_max_draws_from_the_softmax():
    count = 20_000
    tokens = gumbel_max(LOGITS.expand(count, 5), noise_for(count, 5))
    counts = torch.bincount(tokens, minlength=5)
    assert counts[3] == 0
    allowed = torch.tensor([0, 1, 2, 4])
    probs = LOGITS.double().softmax(0)[allowed]
    assert chisquare(counts[allowed], probs * count).pvalue > 1e-6
    for token, prob in zip(allowed.tolist(), probs.tolist(), strict=True):
        assert binomtest(int(counts[token]), count, prob).pvalue > 1e-6


def test_gumbel_softmax_by_hand():
    logits = torch.tensor([[0.0, 1.0]]).double()
    noise = torch.tensor([[2.0, -1.0]]).double()  # sums 2 and 0, divided by 2: 1 and 0
    soft = gumbel_softmax(logits, noise, 2.0)
    e = math.e
    assert soft[0].tolist() == pytest.approx([e / (1 + e), 1 / (1 + e)])
    assert gumbel_max(logits, noise).tolist() == [0]
    assert gumbel_softmax(logits, noise, 2.0, hard=True).tolist() == [[1.0, 0.0]]


def test_hard_and_soft_vectors_have_their_largest_entry_at_the_gumbel_max():
    rng = torch.Generator().manual_seed(1)
    logits, noise = 3 * torch.randn(500, 11, generator=rng), noise_for(500, 11)
    tokens = gumbel_max(logits, noise)
    for temperature in (0.1, 1.0, 10.0):
        assert torch.equal(gumbel_softmax(logits, noise, temperature).argmax(-1), tokens)
        hard = gumbel_softmax(logits, noise, temperature, hard=True)
        assert torch.equal(hard, torch.nn.functional.one_hot(tokens, 11).float())  # to the bit


def test_low_temperatures_near_the_one_hot_vector():
    logits, noise = torch.zeros(50, 4), noise_for(50, 4)
    soft = gumbel_softmax(logits, noise, 1e-4)
    hard = gumbel_softmax(logits, noise, 1e-4, hard=True)
    assert (soft - hard).abs().mean() < 1e-3
    assert torch.allclose(gumbel_softmax(logits, noise, 1e6), torch.full((50, 4), 0.25), atol=1e-4)


@pytest.mark.parametrize("hard", [False, True])
def test_the_gradient_is_that_of_the_soft_vector(hard):
    rng = torch.Generator().manual_seed(2)
    noise = noise_for(6, 5).double()
    weight = torch.randn(6, 5, generator=rng).double()
    logits = torch.randn(6, 5, generator=rng).double()
    logits[:, 3] = -math.inf
    logits.requires_grad_()
    found = torch.autograd.grad(
        (gumbel_softmax(logits, noise, 0.7, hard=hard) * weight).sum(), logits
    )[0]
    # by hand: d y_i / d x_j = y_i (1[i = j] - y_j) / temperature
    y = gumbel_softmax(logits, noise, 0.7).detach()
    assert torch.allclose(found, y * (weight - (y * weight).sum(1, keepdim=True)) / 0.7)
    assert torch.equal(found[:, 3], torch.zeros(6).double())


def test_soft_gradients_pass_the_check_of_finite_differences():
    noise = noise_for(3, 4).double()
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(3)).double()
    assert torch.autograd.gradcheck(
        lambda x: gumbel_softmax(x, noise, 0.5), logits.requires_grad_()
    )


SCHEDULES = TEMPERATURE_SCHEDULES.items()


def test_schedules_by_hand():
    ends = {
        name: [s(x, 2.0, 0.5) for x in (0.0, 0.5, 1.0)] for name, s in TEMPERATURE_SCHEDULES.items()
    }
    assert ends == {
        "constant": [2.0, 2.0, 2.0],
        "linear": [2.0, 1.25, 0.5],
        "exponential": [2.0, 1.0, 0.5],
    }
    # RelGAN: the inverse temperature 1000^(n / N)
    assert 1 / TEMPERATURE_SCHEDULES["exponential"](1 / 3, 1.0, 1e-3) == pytest.approx(10.0)


@pytest.mark.parametrize("call, said", [
    (lambda: gumbel_softmax(LOGITS[None], torch.zeros(1, 4), 1.0), r"noise must be \[1, 5\]"),
    (lambda: gumbel_softmax(LOGITS, torch.zeros(5), 1.0), "must have 2 dimensions"),
    (lambda: gumbel_softmax(LOGITS[None], torch.zeros(1, 5), 0.0), "temperature must be above 0"),
    (lambda: gumbel_max(LOGITS[None], torch.zeros(2, 5)), r"noise must be \[1, 5\]"),
])  # fmt: skip
def test_wrong_shapes_are_errors(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("temperature", [5e-324, 1e-39, 1e-30, 1e39, 1.7e308])
@pytest.mark.parametrize("hard", [False, True])
def test_temperatures_at_the_ends_of_floating_point(temperature, hard):
    logits = LOGITS[None].clone().requires_grad_()
    noise = torch.zeros(1, 5)
    soft = gumbel_softmax(logits, noise, temperature, hard=hard)
    one_hot = [1.0, 0.0, 0.0, 0.0, 0.0]
    expected = one_hot if hard or temperature < 1 else [0.25, 0.25, 0.25, 0.0, 0.25]
    assert soft[0].tolist() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(soft[0, 1], logits)
    assert gradient.isfinite().all()


def test_the_noise_of_a_place_has_52_bits():
    # 1 - u is at least 2^-53, so that g is at most 53 log 2; of 23 bits 24 log 2.
    nearest = torch.tensor([1 - 2.0**-53], dtype=torch.float64)
    assert gumbel_noise(nearest).item() == pytest.approx(53 * math.log(2))
    source = stream()
    rows = source.rows(torch.arange(50))
    uniforms = source.uniforms(source.rows(rows[:, None], torch.arange(3)), 2)
    noise = gumbel_noise_at(source, rows, 2, 3)
    assert noise.dtype == torch.float32 and (uniforms * 2.0**32).frac().all()
    assert torch.equal(noise, (-(-uniforms.log()).log()).float())
