"""Temperatures, logits and number types at the ends of what floating point can hold."""

from __future__ import annotations

import math

import pytest
import torch

from rollout import Policy, Sampler, generate
from rollout.sampling import tempered

from ..small import lstm
from .chains import Chain, all_sequences
from .intervals import token_masses

TINY = [5e-324, 1e-310, 1e-100, 1e-39, 3.9e-39, 1e-38, 1e-30, 1e-6]
HUGE = [1e30, 1e38, 1e39, 1e100, 1.7e308]


def some_logits(vocab: int) -> torch.Tensor:
    """1, 2, 3, 0 and one token that cannot be drawn, then zeros."""
    logits = torch.zeros(vocab)
    logits[:5] = torch.tensor([1.0, 2.0, 3.0, 0.0, -torch.inf])
    return logits


@pytest.mark.parametrize("device_waits", [False, True])
@pytest.mark.parametrize("vocab", [5, 600])
@pytest.mark.parametrize("filters", [{}, {"top_k": 4}, {"top_p": 0.9}], ids=str)
class TestSampler:
    @pytest.fixture(autouse=True)
    def device(self, device_waits, monkeypatch):
        if device_waits:
            monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())

    @pytest.mark.parametrize("temperature", TINY)
    def test_the_largest_logit_is_drawn_at_a_tiny_temperature(self, vocab, filters, temperature):
        numbers = torch.tensor([[1e-9, 0.3, 0.5, 1 - 1e-9]], dtype=torch.float64)
        sampler = Sampler(temperature, **filters)
        for logits in (some_logits(vocab), some_logits(vocab) - 4.0, some_logits(vocab) * 1e38):
            assert sampler.sample(logits[None], numbers).tolist() == [[2, 2, 2, 2]]

    @pytest.mark.parametrize("temperature", HUGE)
    def test_all_are_equal_at_a_huge_temperature(self, vocab, filters, temperature):
        masses = token_masses(Sampler(temperature, **filters), some_logits(vocab))
        kept = masses[masses > 1e-12]
        wanted = {"top_k": 4, "top_p": math.ceil(0.9 * (vocab - 1))}.get(
            next(iter(filters), ""), vocab - 1
        )
        assert abs(len(kept) - wanted) <= (1 if "top_p" in filters else 0)
        assert torch.allclose(kept, torch.full_like(kept, 1 / len(kept)), rtol=1e-6)
        assert masses[4] == 0


@pytest.mark.parametrize("device_waits", [False, True])
@pytest.mark.parametrize("vocab", [5, 600])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30, 1e37])
def test_scale_and_temperature_cancel(vocab, scale, device_waits, monkeypatch):
    if device_waits:
        monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    logits = some_logits(vocab)
    masses = token_masses(Sampler(temperature=scale), logits * scale)
    assert torch.allclose(masses, logits.double().softmax(-1), atol=1e-6)


@pytest.mark.parametrize("device_waits", [False, True])
@pytest.mark.parametrize("vocab", [5, 600])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("temperature", [0.01, 1.0, 3.0])
def test_logits_of_other_types(vocab, dtype, temperature, device_waits, monkeypatch):
    if device_waits:
        monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    logits = (100 * some_logits(vocab) * (temperature / 100)).to(dtype)
    masses = token_masses(Sampler(temperature), logits)
    expected = (logits.double() / temperature).softmax(-1)
    assert torch.allclose(masses, expected, atol=1e-6)


def test_tempered_logits_are_quotients_less_the_largest():
    logits = torch.tensor([[1.0, -2.0, 3.0, -torch.inf]])
    assert tempered(logits, 0.5).tolist() == [[-4.0, -10.0, 0.0, -torch.inf]]
    assert tempered(logits, 1e-39).tolist() == [[-torch.inf, -torch.inf, 0.0, -torch.inf]]
    assert tempered(logits, 2.0**120).tolist() == [[-(2.0**-119), -5 * 2.0**-120, 0.0, -torch.inf]]
    assert tempered(logits, 1e300).tolist() == [[0.0, 0.0, 0.0, -torch.inf]]
    memory = torch.empty(1, 4)
    assert tempered(logits.double(), 0.5, memory) is memory and memory[0, 1] == -10


def generators() -> list[tuple[str, Policy]]:
    torch.manual_seed(0)
    network = lstm(6, 4, 0, None, 0, 6, 8, forbidden=(0,), initial_scale=1.0)
    chain = Chain.random(6, 4)
    chain.table.data[:, 0] = -torch.inf
    return [("lstm", network), ("chain", chain)]


@pytest.mark.parametrize("temperature", [*TINY, 1e-3])
@pytest.mark.parametrize("policy", [policy for _, policy in generators()], ids=["lstm", "chain"])
def test_policies_at_a_tiny_temperature_are_greedy(policy, temperature):
    cold = policy.tempered(temperature)
    greedy = generate(policy, 5, sampler=Sampler(top_k=1))
    assert torch.equal(generate(cold, 5).tokens, greedy.tokens)
    with torch.no_grad():
        scores = cold(greedy)
    assert torch.allclose(scores.log_prob, torch.zeros(5, 4), atol=1e-6)
    assert torch.allclose(scores.entropy, torch.zeros(5, 4), atol=1e-6)


@pytest.mark.parametrize("temperature", [1e10, *HUGE])
@pytest.mark.parametrize("policy", [policy for _, policy in generators()], ids=["lstm", "chain"])
def test_policies_at_a_huge_temperature_are_uniform_over_what_is_allowed(policy, temperature):
    hot = policy.tempered(temperature)
    batch = generate(hot, 200, rng=torch.Generator().manual_seed(0))
    assert set(batch.tokens.flatten().tolist()) == {1, 2, 3, 4, 5}
    with torch.no_grad():
        scores = hot(batch)
    assert torch.allclose(scores.log_prob, torch.full((200, 4), -math.log(5)), atol=1e-5)
    assert torch.allclose(scores.entropy, torch.full((200, 4), math.log(5)), atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("policy", [policy for _, policy in generators()], ids=["lstm", "chain"])
def test_temperatures_that_make_no_sense(policy, temperature):
    with pytest.raises(ValueError, match="temperature must be above 0 and finite"):
        policy.tempered(temperature)


def test_a_tempered_policy_is_trained_as_its_quotients_would_be():
    """Taking the largest logit away leaves the gradient of the likelihood as it is."""
    chain = Chain.random(3, 3, seed=1)
    batch, _ = all_sequences(chain)
    weights = torch.randn(27, 3, generator=torch.Generator().manual_seed(0))
    gradients = []
    for temperature, scale in ((2.0**-30, 2.0**-30), (0.5, 0.5)):
        scaled = Chain(chain.table.detach() * scale, 3)
        loss = (scaled.tempered(temperature)(batch).log_prob * weights).sum()
        gradients.append(torch.autograd.grad(loss, scaled.table)[0] * scale)
    assert torch.allclose(*gradients, atol=1e-5)
