"""Every token has the share of the numbers in (0, 1) that its probability says, however small.

The shares are measured by bisection of the number, so no draw is random here.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rollout import PolicyAgent, Sampler, action_values, generate
from rollout.environments.env import TokenGenerationEnv
from rollout.environments.vector_env import TokenGenerationVectorEnv
from rollout.nucleus import NucleusPolicy
from rollout.randomness import UniformStream
from rollout.sampling import inverse_cdf

from .chains import Chain, count_of
from .intervals import interval_masses, token_masses

REACHABLE = 2.0**-32


def rows(kind: str, vocab: int) -> torch.Tensor:
    """Logits [V] with most of the mass in a few tokens, or spread over all."""
    if kind == "normal":
        return 3 * torch.randn(vocab, generator=torch.Generator().manual_seed(0))
    if kind == "zipf":
        return -torch.arange(1.0, vocab + 1).log()
    logits = torch.full((vocab,), math.log(0.001 / (vocab - 1)))
    logits[{"first": 0, "middle": vocab // 2, "last": -1}[kind]] = math.log(0.999)
    return logits


def assert_exact(sampler: Sampler, logits: torch.Tensor, probs: torch.Tensor) -> None:
    masses = token_masses(sampler, logits)
    assert (masses[probs == 0] == 0).all()
    assert (masses[probs > REACHABLE] > 0).all()
    assert 0.5 * (masses - probs).abs().sum() < 1e-5
    # Relative to each token's own probability, down to one in 2^32.
    shares = (masses / probs)[probs > REACHABLE]
    assert shares.min() > 0.999 and shares.max() < 1.001


@pytest.mark.parametrize("device_waits", [False, True])
@pytest.mark.parametrize(
    ("kind", "vocab"),
    [
        *((kind, 50) for kind in ("normal", "first", "middle", "last", "zipf")),
        *((kind, 5_000) for kind in ("normal", "first", "middle", "last", "zipf")),
        *((kind, 50_000) for kind in ("normal", "last")),
    ],
)
def test_no_token_is_out_of_reach(kind, vocab, device_waits, monkeypatch):
    # Version 0.1 could never draw 15,907 of the 50,000 tokens, 3e-4 of the mass.
    if device_waits:  # the largest logit is subtracted, as on a GPU
        monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    logits = rows(kind, vocab)
    assert_exact(Sampler(), logits, logits.double().softmax(-1))


@pytest.mark.parametrize("vocab", [50, 5_000, 50_000])
@pytest.mark.parametrize("arguments", [{"top_k": 40}, {"top_p": 0.97}, {"temperature": 0.7}])
def test_filters_and_temperatures_reach_all_that_they_keep(vocab, arguments):
    logits = rows("normal", vocab)
    probs = (logits.double() / arguments.get("temperature", 1.0)).softmax(-1)
    order = probs.argsort(descending=True)
    if "top_k" in arguments:
        probs[order[40:]] = 0
    if "top_p" in arguments:
        before = probs[order].cumsum(0) - probs[order]
        probs[order[before >= 0.97]] = 0
    assert_exact(Sampler(**arguments), logits, probs / probs.sum())


def test_a_nucleus_of_equal_tokens_has_the_right_size():
    # A float32 cumulative sum of 50,000 equal numbers is wrong by far more than one of them.
    logits = torch.zeros(1, 50_000)
    probs, _ = Sampler(top_p=0.90001).probabilities(logits)
    assert abs(int((probs > 0).sum()) - 45_001) <= 1
    chain = Chain(torch.zeros(1, 50_000), 1)
    kept, _ = NucleusPolicy(chain, 0.90001).step(torch.tensor([0]), torch.zeros(1, 1))
    assert int(kept.isfinite().sum()) == int((probs > 0).sum())


@pytest.mark.parametrize("size", [7, 255, 256, 700])
def test_inverse_cdf_of_weights_of_every_size(size):
    weights = 2.0 ** -torch.arange(size).remainder(31).float()
    weights[3::5] = 0
    masses = interval_masses(lambda u: inverse_cdf(weights[None], u[None])[0], size)
    probs = weights.double() / weights.double().sum()
    assert (masses - probs).abs().max() < 2.0**-44 + 1e-7 * probs.max()
    assert (masses[weights == 0] == 0).all() and (masses[weights > 0] > 0).all()


def test_numbers_have_52_bits():
    stream = UniformStream(torch.Generator().manual_seed(0), "cpu")
    numbers = stream.uniforms(stream.rows(torch.arange(1 << 16)), 3)
    assert numbers.dtype == torch.float64 and 0 < numbers.min() and numbers.max() < 1
    assert len(numbers.unique()) == len(numbers)  # of 23 bits some 256 would come twice
    places = numbers * 2.0**52
    assert torch.equal(places - places.floor(), torch.full_like(places, 0.5))
    for bit in (0, 20, 40, 51):
        assert (places.floor().remainder(2.0 ** (bit + 1)) >= 2.0**bit).double().mean() == (
            pytest.approx(0.5, abs=0.01)
        )


class Watching(Sampler):
    """A sampler that keeps the numbers it gets."""

    seen: list[torch.Tensor] = []

    def sample(self, logits, uniforms):
        self.seen.append(uniforms.flatten())
        return super().sample(logits, uniforms)


@pytest.mark.parametrize("who", ["generate", "rollouts", "stratified", "agent", "agents"])
def test_whoever_draws_uses_numbers_of_full_precision(who, monkeypatch):
    chain, sampler = Chain.random(6, 7, 0), Watching()
    monkeypatch.setattr(Watching, "seen", [])
    rng = torch.Generator().manual_seed(0)
    if who == "generate":
        generate(chain, 30, sampler=sampler, rng=rng)
    elif who in ("rollouts", "stratified"):
        batch = generate(chain, 10, rng=rng)
        stratified = who == "stratified"
        action_values(chain, batch, count_of(3), 4, sampler=sampler, rng=rng, stratified=stratified)
    else:
        agent = PolicyAgent(chain, sampler=sampler, rng=rng)
        env = (
            TokenGenerationEnv(count_of(3), 6, 7)
            if who == "agent"
            else TokenGenerationVectorEnv(count_of(3), 6, 7, num_envs=5)
        )
        observation, _ = env.reset(seed=0)
        for _ in range(6):
            observation, *_ = env.step(agent.act(observation))
        assert np.ndim(observation["position"]) == (who == "agents")
    numbers = torch.cat(Watching.seen)
    assert numbers.dtype == torch.float64 and len(numbers) >= 6
    fine = numbers * 2.0**32
    assert (fine != fine.floor()).all()  # none is a multiple of 2^-32
