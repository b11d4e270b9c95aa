"""The comparison of agents: its task, and our side of it."""

from __future__ import annotations

import pytest
import torch

from benchmarks.agents import BEST, maskable_ppo, never_smaller, ours, rises
from rollout import Sequences


def test_the_task_by_hand():
    tokens = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7], [3, 3, 4, 4, 6, 7, 7, 8]])
    assert rises(Sequences(tokens, torch.tensor([8, 8]))).tolist() == [BEST, 3]
    assert never_smaller([[], [2, 8]]) == [[True] * 10, [False] * 8 + [True] * 2]


def test_ours_learns_it():
    trained = ours(8_192, seed=0)
    assert trained.score > 0.5 * BEST and trained.tokens == 8_192


def test_another_librarys_agent_plays_it():
    pytest.importorskip("sb3_contrib", reason="sb3-contrib (extra [rl]) is missing")
    trained = maskable_ppo(1_024, seed=0)
    # an action that is not allowed would be an error; an untrained agent has about 1.5 of 7
    assert 0.5 < trained.score < BEST and trained.tokens == 1_024
