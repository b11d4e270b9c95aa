"""The main job on a CUDA device: what it gives is what a CPU gives. Run with ``pytest -m gpu``."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from rollout import (
    DiscriminatorReward,
    action_values,
    generate,
    nll_loss,
)
from seqgan.models import Generator
from seqgan.models.discriminators.bilstm import BiLSTMDiscriminator
from seqgan.models.discriminators.cnn import CNNDiscriminator

from ..small import cnn, lstm

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_generator() -> Generator:
    torch.manual_seed(0)
    return lstm(600, 12, 1, 2, 0, 16, 16, forbidden=(0, 1), initial_scale=0.3)


def test_losses_agree_with_the_cpu():
    generator = make_generator()
    batch = generate(generator, 32, rng=seeded(0))
    losses = []
    for device in ("cpu", "cuda"):
        model, here = copy.deepcopy(generator).to(device), batch.to(device)
        loss = nll_loss(model(here).log_prob, here.mask)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        losses.append((float(loss), float(norm)))
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.parametrize("kind", [CNNDiscriminator, BiLSTMDiscriminator])
def test_discriminator_losses_agree_with_the_cpu(kind):
    torch.manual_seed(0)
    judge = kind(600, dropout=0.0)
    batch = generate(make_generator(), 32, rng=seeded(0))
    labels = torch.arange(32) % 2.0
    losses = []
    for device in ("cpu", "cuda"):
        model, here = copy.deepcopy(judge).to(device), batch.to(device)
        loss = functional.binary_cross_entropy_with_logits(model(here), labels.to(device))
        losses.append(float(loss))
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_rollouts_agree_with_the_cpu():
    generator = make_generator()
    batch = generate(generator, 8, rng=seeded(0))
    torch.manual_seed(0)
    judge = cnn(600)
    values = []
    for device in ("cpu", "cuda"):
        reward = DiscriminatorReward(copy.deepcopy(judge).to(device))
        model = copy.deepcopy(generator).to(device)
        values.append(action_values(model, batch.to(device), reward, 64, rng=seeded(1)).cpu())
    # Rounding may move a number across a token's edge, so single values may differ.
    assert (values[0] - values[1]).abs().mean() < 1e-3


def test_the_speed_command_does_its_job_there(tmp_path):
    from benchmarks.cli import main

    output = tmp_path / "speed"
    assert main(["speed", "--device", "cuda", "--tiny", "true", "--output", str(output)]) == 0
    assert output.with_suffix(".json").is_file()
