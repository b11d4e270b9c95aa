"""Refresh of an ensemble: its loss by hand, its optimum, and its resuming."""

from __future__ import annotations

import pytest
import torch

from rollout import generate
from seqgan.config import EnsembleConfig
from seqgan.models import Ensemble
from seqgan.training.processes import Part
from seqgan.training.refresh import Refresh
from seqgan.training.runtime import Runtime, make_accelerator

from ..models.test_ensemble import all_sequences, models


def player(count: int = 500, **settings) -> tuple[Refresh, torch.nn.Module]:
    """The player, and the density that its real sequences are drawn from."""
    source, policy, *members = models(4, seed=5)
    real = generate(source, count, rng=torch.Generator().manual_seed(0))
    config = EnsembleConfig(refresh=1, **settings)
    runtime = Runtime(make_accelerator("cpu"), seed=0)
    return Refresh(Ensemble(members), policy, real, 32, config, runtime), source


def divergence(source: torch.nn.Module, model: torch.nn.Module) -> float:
    """KL from the data to a model, by enumeration."""
    log_p, log_q = (each(all_sequences()).log_prob.sum(1) for each in (source, model))
    return (log_p.exp() * (log_p - log_q)).sum().item()


def test_the_loss_by_hand():
    work, _ = player()
    every = all_sequences()
    pairs = [every.select(slice(0, 2)).trim(), every.select(slice(2, 4)).trim()]
    log_q = [torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -0.5])]
    wanted = 0.0
    for member in work.trained.members:
        for sign, part, q in zip((-1, 1), pairs, log_q, strict=True):
            odds = member(part).log_prob.sum(1) - q
            wanted += (1 + (sign * odds).exp()).log().mean().item() / 2
    assert work.loss_of(pairs, log_q, Part(0, 2, 2)).item() == pytest.approx(wanted)


def test_members_come_closer_to_the_data():
    work, source = player(3_000, refresh_learning_rate=0.02)
    before = [divergence(source, member) for member in work.trained.members]
    kept = {name: value.clone() for name, value in work.policy.state_dict().items()}
    work.steps(100)
    after = [divergence(source, member) for member in work.trained.members]
    assert all(now < 0.2 * then for now, then in zip(after, before, strict=True)), (before, after)
    assert all(torch.equal(value, kept[name]) for name, value in work.policy.state_dict().items())


def test_it_resumes_exactly():
    whole, first, second = (player()[0] for _ in range(3))
    for _ in range(2):
        whole.steps(3)
    first.steps(3)
    second.load_state_dict(first.state_dict())
    second.steps(3)
    for found, wanted in zip(second.trained.parameters(), whole.trained.parameters(), strict=True):
        assert torch.equal(found, wanted)
