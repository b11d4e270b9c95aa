"""The learning rate over time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seqgan.config import OptimizerConfig
from seqgan.errors import ConfigError
from seqgan.training.learner import Learner
from seqgan.training.runtime import Runtime, make_accelerator


def learner(**settings) -> Learner:
    config = OptimizerConfig(name="adam", learning_rate=0.8, **settings)
    return Learner(nn.Linear(1, 1), config, Runtime(make_accelerator("cpu"), 0), "test", "do")


def rates(each: Learner, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        each.update(each.model.weight.sum())
        found.append(each.rate)
    return found


def test_the_cosine_schedule_by_hand():
    each = learner(schedule="cosine", decay_steps=4, final_share=0.1)
    # 0.8 (0.1 + 0.9 (1 + cos(pi k / 4)) / 2) for k = 0, ..., 4, and the last from then on
    assert each.rate == 0.8
    assert rates(each, 6) == pytest.approx([0.694558, 0.44, 0.185442, 0.08, 0.08, 0.08], abs=1e-6)


def test_the_cosine_schedule_resumes_and_keeps_a_halved_rate():
    whole, first = (learner(schedule="cosine", decay_steps=6) for _ in range(2))
    wanted = rates(whole, 5)
    found = rates(first, 2)
    second = learner(schedule="cosine", decay_steps=6)
    second.load_state_dict(first.state_dict())
    assert found + rates(second, 3) == wanted
    first.soften()
    assert rates(first, 3) == pytest.approx([rate / 2 for rate in wanted[2:]])


def test_a_schedule_that_ends_at_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"final_share: 0 is not in \(0, 1\]"):
        OptimizerConfig(final_share=0)


def test_a_frozen_parameter_has_no_gradient_of_its_own_to_count():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    runtime = Runtime(make_accelerator("cpu"), 0)
    model[0].requires_grad_(False)
    mask = torch.tensor([[True, True], [True, False]])
    runtime.count(mask, model)
    # 3 tokens; 8 frozen numbers at 2 forwards and 2 backwards, 3 trained ones at 2 and 4
    assert (runtime.tokens, runtime.operations) == (3, 3 * (8 * 4 + 3 * 6))
