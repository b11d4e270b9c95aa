"""A step of every architecture does nothing that the recording of a CUDA graph refuses.

On the `meta` device, which stands for a GPU: what lies on the CPU is the host's.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rollout import Sampler, Sequences, nll_loss
from rollout.generate import _begin, _completed
from rollout.monte_carlo import _completions, _Piece, _Way
from seqgan.config import DISCRIMINATORS, GENERATORS
from seqgan.config.components import build
from seqgan.data.spec import TokenSpec

from ...capture import NoCapture
from ...small import known_to_models, small

SPEC = known_to_models(TokenSpec(12, 1, 2, 0, 7, (0, 1)))


@pytest.fixture(autouse=True)
def a_device_like_a_gpu(monkeypatch):
    monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())


def on_meta(table, name: str) -> nn.Module:
    made: nn.Module = build(small(table[name]), SPEC)
    return made.to("meta")


def batch(width: int = 7) -> Sequences:
    tokens = torch.zeros(4, width, dtype=torch.int64, device="meta")
    return Sequences(tokens, torch.zeros(4, dtype=torch.int64, device="meta"))


def step(model: nn.Module, loss: torch.Tensor) -> None:
    loss.backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 5.0)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator(name):
    """A gradient step, samples, and rollouts without dropping rows."""
    model, given, key = on_meta(GENERATORS, name), batch(), torch.zeros((), dtype=torch.int64)
    key = key.to("meta")
    rows = torch.zeros(4, dtype=torch.int64, device="meta")
    plan = [_Piece(t, rows, 4 * 2 * place, 0, 2) for place, t in enumerate((0, 3))]
    with NoCapture("meta"):
        model.train()
        step(model, nll_loss(model(given).log_prob, given.mask))
    model.eval()
    begun = _begin(model, 4, None, None)
    with torch.no_grad(), NoCapture("meta"):
        _completed(begun, key, (model, Sampler(), 0), 4, 0)
        _completions(given, key, _Way(model, Sampler(), 2, True, 0), 16, plan, 0)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator(name):
    model, given = on_meta(DISCRIMINATORS, name), batch()
    if model.reads_text:
        pytest.skip("texts are made on the host: its steps are not recorded")
    model.train()
    with NoCapture("meta"):
        step(model, model(given).square().mean())
