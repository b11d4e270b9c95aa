"""Devices without float64 sample all the same: the search happens on the host."""

from __future__ import annotations

import pytest
import torch

from rollout import DiscriminatorReward, RandomReward, Sampler, action_values, generate

from ..small import cnn, lstm
from ..without_float64 import WithoutFloat64


@pytest.fixture
def meta(monkeypatch) -> str:
    monkeypatch.setattr("rollout.devices._WITHOUT_FLOAT64", ("meta",))
    return "meta"


def test_the_mode_notices(meta):
    with pytest.raises(AssertionError, match="float64"), WithoutFloat64():
        torch.ones(3, device=meta, dtype=torch.float64)
    with pytest.raises(AssertionError, match="tensors on"), WithoutFloat64():
        torch.ones(3, 4, device=meta)[torch.zeros(2, dtype=torch.int64)]


@pytest.mark.parametrize("vocab", [50, 700])
@pytest.mark.parametrize(
    "sampler", [Sampler(), Sampler(0.5), Sampler(top_k=5), Sampler(top_p=0.8)], ids=str
)
def test_samples_and_rollouts(meta, vocab, sampler):
    policy = lstm(vocab, 9, 1, 2, 0, 6, 8, forbidden=(0, 1)).to(meta)
    reward = DiscriminatorReward(cnn(vocab, 5, (1, 3), (4, 4)).to(meta))
    with WithoutFloat64():
        batch = generate(policy, 4, sampler=sampler, compact_every=0)
        values = action_values(
            policy, batch, reward, 3, sampler=sampler, compact_every=0, stratified=True
        )  # fmt: skip
        assert values.shape == (4, 9) and values.is_meta
        rewards = RandomReward(3)(batch)
    assert rewards.dtype == torch.float32 and rewards.is_meta
