"""Functions of a training step that never make the host wait for the device."""

from __future__ import annotations

import pytest
import torch

from rollout import (
    AGGREGATIONS,
    TRANSFORMS,
    AdaptiveEntropy,
    AdaptiveKL,
    advantages,
    augmented_likelihood_loss,
    clipped_surrogate_loss,
    dpg_weights,
    gae,
    gumbel_max,
    gumbel_noise_at,
    gumbel_softmax,
    make_baseline,
    reinforce_loss,
    sequence_surrogate_loss,
    truncated_importance_weights,
    value_loss,
    weighted_nll_loss,
)
from rollout.randomness import UniformStream
from rollout.returns import BASELINES

from ..synchronisation import NoReading


@pytest.fixture(params=["meta", "cpu"])
def device(request, monkeypatch) -> str:
    """The `meta` device, where nothing can be read, and a CPU that is treated like a GPU."""
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
    return request.param


@pytest.mark.parametrize("groups", [None, [3, 3, 8, 8]])
def test_values_to_advantages(device, groups):
    mask = (torch.arange(5)[None, :] < torch.tensor([[5], [2], [3], [1]])).to(device)
    values, cut = torch.rand(4, 5).to(device), torch.rand(4).to(device)
    groups = None if groups is None else torch.tensor(groups).to(device)
    with NoReading():
        for transform in TRANSFORMS.values():
            changed = transform(values, mask, groups)
            for name in BASELINES:
                baseline = make_baseline(name)
                for _ in range(2):
                    result = advantages(changed, mask, baseline, groups=groups, normalize=True)
                    assert result.shape == (4, 5)
        assert gae(values, values, mask, bootstrap=cut).shape == (4, 5)


def test_losses_with_their_gradients(device):
    mask = (torch.arange(5)[None, :] < torch.tensor([[5], [2], [3], [1]])).to(device)
    new = torch.rand(4, 5).to(device).requires_grad_()
    old, row = torch.rand(4, 5).to(device), torch.rand(4).to(device)
    with NoReading():
        advantage = old * truncated_importance_weights(new, old, mask)
        weights = dpg_weights(row, row, 0.3, row)
        total = (
            sequence_surrogate_loss(new, old, weights, mask, clip_high=0.4)
            + augmented_likelihood_loss(new, old, row, mask)
            + weighted_nll_loss(new, weights, mask)
            + value_loss(new, old, mask, old_values=old, clip=0.2)
        )
        for name in AGGREGATIONS:
            rest = {"aggregation": name, "max_length": 5}
            total = total + reinforce_loss(new, advantage, mask, **rest)
            total = total + clipped_surrogate_loss(new, old, advantage, mask, **rest)
        for coefficient in (AdaptiveEntropy(1.0), AdaptiveKL(1.0)):
            coefficient.update(old.mean())
            total = total + coefficient.coefficient * new.mean()
        total.backward()
    assert new.grad is not None and new.grad.shape == (4, 5)


def test_relaxed_draws_with_their_gradients(device):
    logits = torch.rand(4, 6).to(device).requires_grad_()
    stream = UniformStream(torch.Generator().manual_seed(0), device)
    with NoReading():
        rows = stream.rows(torch.arange(4, device=device))
        noise = gumbel_noise_at(stream, rows, 2, 6)
        assert gumbel_max(logits, noise).shape == (4,)
        drawn = gumbel_softmax(logits, noise, 0.5) + gumbel_softmax(logits, noise, 0.5, hard=True)
        drawn.square().sum().backward()
    assert logits.grad is not None
