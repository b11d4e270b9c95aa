"""Policies under a constraint: samples, likelihoods, rollouts and gradients of one model."""

from __future__ import annotations

import pytest
import torch

from rollout import ConstrainedPolicy, action_values, allowed_after, generate

from .chains import Chain, all_sequences, count_of


def rising(prefixes):
    """No token may be smaller than the one before it."""
    return [[not row or token >= row[-1] for token in range(3)] for row in prefixes]


def expected(chain, sequences):
    """The log-probability of each sequence under the constraint, token by token."""
    table = chain.table.detach().double()
    found = []
    for row in sequences.to_lists():
        last, total = chain.bos_id, 0.0
        for t, token in enumerate(row):
            logits = table[last].clone()
            logits[~torch.tensor(rising([row[:t]])[0])] = -torch.inf
            total = total + logits.log_softmax(0)[token]
            last = token
        found.append(total)
    return torch.stack(found)


def test_likelihoods_are_normalised_again():
    chain = Chain.random(3, 3, seed=1)
    policy = ConstrainedPolicy(chain, rising)
    batch, _ = all_sequences(chain)
    log_prob = policy(batch).log_prob.double().sum(1)
    assert torch.allclose(log_prob, expected(chain, batch), atol=1e-5)
    assert log_prob.exp().sum().item() == pytest.approx(1.0, abs=1e-6)
    assert (log_prob.isneginf()).sum() == 27 - 10  # rising triples of three tokens


def test_samples_follow_it_and_are_distributed_as_they_say():
    policy = ConstrainedPolicy(Chain.random(3, 3, seed=1), rising)
    drawn = generate(policy, 4000, rng=torch.Generator().manual_seed(0), chunk_size=512)
    rows = drawn.to_lists()
    assert all(row == sorted(row) for row in rows)
    for row in {tuple(row) for row in rows}:
        p = policy(drawn.select(slice(rows.index(list(row)), rows.index(list(row)) + 1)))
        p = p.log_prob.sum().exp().item()
        share = rows.count(list(row)) / len(rows)
        assert abs(share - p) < 5 * (p * (1 - p) / len(rows)) ** 0.5 + 1e-3


def test_rollouts_follow_it_too():
    policy = ConstrainedPolicy(Chain.random(3, 3, seed=1), rising)
    batch = generate(policy, 6, rng=torch.Generator().manual_seed(0))
    values = action_values(policy, batch, count_of(0), 50, rng=torch.Generator().manual_seed(1))
    for row, found in zip(batch.to_lists(), values.tolist(), strict=True):
        if row[0] > 0:  # 0 cannot come any more
            assert found == [0.0, 0.0, 0.0]


def test_it_is_trained_through_the_mask():
    chain = Chain.random(3, 3, seed=1)
    policy = ConstrainedPolicy(chain, rising)
    batch = generate(policy, 8, rng=torch.Generator().manual_seed(0))
    policy(batch).log_prob.sum().backward()
    assert chain.table.grad.isfinite().all() and chain.table.grad.abs().max() > 0


def test_eos_ends_it():
    policy = ConstrainedPolicy(Chain.random(3, 5, eos_id=0, seed=2), lambda rows: [
        [len(row) >= 2, True, True] for row in rows
    ])  # fmt: skip
    drawn = generate(policy, 100, rng=torch.Generator().manual_seed(0))
    assert drawn.lengths.min() == 3 and drawn.terminated.any()


def test_equal_prefixes_are_asked_about_once_and_dead_ends_are_named():
    asked = []

    def rule(prefixes):
        asked.extend(prefixes)
        return [[True, False, True]] * len(prefixes)

    assert allowed_after(rule, [[1], [2], [1]], 3).tolist() == [[True, False, True]] * 3
    assert asked == [[1], [2]]
    with pytest.raises(ValueError, match=r"constraint allows no token after \[1, 2\]"):
        allowed_after(lambda rows: [[False] * 3], [[1, 2]], 3)
    with pytest.raises(ValueError, match=r"must return bool \[1, 3\], got \[1, 2\]"):
        allowed_after(lambda rows: [[True] * 2], [[1]], 3)
