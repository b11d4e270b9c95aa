"""Rewards that follow one another, and the rounds around them."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from seqgan.config import AdversarialConfig
from seqgan.report.rewards import term_curves
from seqgan.training.rounds import Rounds


def test_nobody_waits_for_progress_before_the_last_reward_is_trained(monkeypatch):
    """Validation is by the last reward: what a stage before does to it ends no rounds."""
    player = SimpleNamespace(trained=torch.nn.Linear(1, 1), settled=False, done=False, learner=None)
    settings = AdversarialConfig(rounds=20, patience=2, measure_every=1)
    told = SimpleNamespace(processes=SimpleNamespace(is_main=False))
    rounds = Rounds(player, None, settings, told)
    monkeypatch.setattr(rounds, "measure", lambda validate: {})
    for _ in range(5):
        rounds.end(None)
        assert not rounds.finished
    player.settled = True
    rounds.end(None)
    assert not rounds.finished
    other = Rounds(player, None, settings, told)
    other.load_state_dict(rounds.state_dict())
    for each in (rounds, other):  # the second measurement without progress, after a resume too
        monkeypatch.setattr(each, "measure", lambda validate: {})
        each.end(None)
        assert each.finished and each.rounds_done == 7


def test_terms_of_a_later_stage_have_their_curve():
    lines = [
        {"step": 1, "mean_reward": 1.0, "reward_a": 1.0, "reward_a_sd": 0.0},
        {"step": 2, "mean_reward": 1.0, "reward_b": 1.0, "reward_b_sd": 0.0},
    ]
    plots = term_curves(SimpleNamespace(log={"adversarial": lines}))
    assert [plot.name for plot in plots] == ["reward-a", "reward-b"]
