"""Top-p as a policy: its samples, likelihoods and entropies belong together."""

from __future__ import annotations

import pytest
import torch

from rollout import NucleusMixture, NucleusPolicy, Sampler, Sequences, generate

from .chains import Chain


@pytest.mark.parametrize("top_p", [0.3, 0.8, 0.95, 1.0])
def test_each_step_has_the_distribution_of_top_p_sampling(top_p):
    chain = Chain.random(12, 4, seed=1)
    policy = NucleusPolicy(chain, top_p)
    state = chain.initial_state(3)
    tokens = torch.tensor([1, 5, 9])
    found = policy.step(tokens, state)[0].softmax(-1)
    probs, ids = Sampler(top_p=top_p).probabilities(chain.step(tokens, state)[0])
    expected = probs if ids is None else torch.zeros_like(found).scatter_(1, ids, probs)
    assert torch.allclose(found, expected, atol=1e-6)


def test_scores_by_hand():
    # each step (1/2, 1/4, 1/8, 1/8); top-p 0.7 keeps the first two: 2/3 and 1/3
    class Fixed(Chain):
        def step(self, tokens, state):
            return torch.tensor([0.5, 0.25, 0.125, 0.125]).log().expand(len(tokens), 4), state

    policy = NucleusPolicy(Fixed(torch.zeros(5, 4), 2), 0.7)
    batch = Sequences(torch.tensor([[0, 1], [1, 2]]), torch.tensor([2, 2]))
    scores = policy(batch)
    third = torch.tensor(1 / 3)
    expected = torch.stack([(2 * third).log(), third.log()])
    assert torch.allclose(scores.log_prob[0], expected)
    assert scores.log_prob[1].tolist() == [pytest.approx(third.log().item()), -torch.inf]
    entropy = -(2 / 3 * (2 * third).log() + 1 / 3 * third.log())
    assert torch.allclose(scores.entropy, entropy.expand(2, 2))
    assert set(generate(policy, 50).tokens.unique().tolist()) == {0, 1}


def test_many_sequences_are_scored_in_parts(monkeypatch):
    policy = NucleusPolicy(Chain.random(6, 5, seed=2), 0.8)
    batch = generate(policy, 20, rng=torch.Generator().manual_seed(0))
    whole, parts = policy(batch), []
    monkeypatch.setattr("rollout.nucleus.NUMBERS", 3 * 5 * 6)
    logits = policy.logits
    monkeypatch.setattr(policy, "logits", lambda part: parts.append(len(part)) or logits(part))
    assert torch.allclose(policy(batch).log_prob, whole.log_prob)
    assert parts == [3] * 6 + [2]
    assert torch.isfinite(whole.log_prob).all()


def test_top_p_must_be_a_probability():
    for wrong in (0.0, 1.5):
        with pytest.raises(ValueError, match="top_p must be above 0"):
            NucleusPolicy(Chain.random(3, 3, seed=0), wrong)


def test_a_mixture_with_the_nucleus_leaves_no_token_out():
    probs = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    policy = NucleusMixture(Chain(probs.log().expand(5, 4), 2), top_p=0.7, share=0.1)
    batch = Sequences.from_lists([[0, 1], [2, 3]], 0)
    # the nucleus has .5 / .8 and .3 / .8
    expected = [[0.05 + 0.9 * 0.5 / 0.8, 0.03 + 0.9 * 0.3 / 0.8], [0.015, 0.005]]
    found = policy(batch).log_prob.exp()
    assert torch.allclose(found, torch.tensor(expected, dtype=found.dtype))
    weights = probs[batch.tokens] / found
    assert weights.max().item() == pytest.approx(10)  # 1 / share
    cold = NucleusMixture(Chain(probs.log().expand(5, 4), 2), top_p=1.0, share=0.5, temperature=0.5)
    squares = (probs**2 / (probs**2).sum()).to(found.dtype)
    wanted = (probs.to(found.dtype) + squares) / 2
    assert torch.allclose(cold(batch).log_prob.exp()[0], wanted[:2])
    drawn = generate(policy, 4_000, rng=torch.Generator().manual_seed(0))
    first = torch.bincount(drawn.tokens[:, 0], minlength=4) / 4_000
    assert torch.allclose(first[:2].double(), torch.tensor(expected[0]).double(), atol=0.03)
    assert first[2:].min() > 0
    for wrong in ({"share": 0.0}, {"share": 0.5, "temperature": 0.0}, {"share": 0.5, "top_p": 0.0}):
        with pytest.raises(ValueError, match="must be above 0"):
            NucleusMixture(Chain(probs.log().expand(5, 4), 2), **{"top_p": 0.5, **wrong})
