"""The main job on a CUDA device: what it gives is what a CPU gives. Run with ``pytest -m gpu``.

Without a CUDA device the tests compare the CPU with itself, so that their code does not rot, and
then are reported as skipped.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from rollout import (
    DiscriminatorReward,
    Sequences,
    action_values,
    generate,
    nll_loss,
)
from seqgan.models import Generator

from ..small import bilstm, cnn, lstm

pytestmark = pytest.mark.gpu
DEVICES = ("cpu", "cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(autouse=True)
def exact_products(monkeypatch):
    """Products in 32 bits, as in a run without ``--matmul_precision``."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_generator() -> Generator:
    torch.manual_seed(0)
    return lstm(600, 12, 1, 2, 0, 16, 16, forbidden=(0, 1), initial_scale=0.3)


def assert_gradients_agree(models: list[torch.nn.Module]) -> None:
    """Every gradient on the CPU and on the device."""
    for (name, one), (_, other) in zip(*(each.named_parameters() for each in models), strict=True):
        assert one.grad is not None and other.grad is not None, name
        apart = (one.grad - other.grad.cpu()).abs().max() / one.grad.abs().max()
        assert apart < 1e-3, f"{name}: {apart:.1e}"


def skip_without_a_device() -> None:
    """Ends a test that had nothing but the CPU to compare."""
    if DEVICES[1] == "cpu":
        pytest.skip("torch sees no CUDA device: the CPU was compared with itself")


def test_losses_and_gradients_agree_with_the_cpu():
    generator = make_generator()
    batch = generate(generator, 32, rng=seeded(0))
    models, losses = [], []
    for device in DEVICES:
        model, here = copy.deepcopy(generator).to(device), batch.to(device)
        loss = nll_loss(model(here).log_prob, here.mask)
        loss.backward()
        models.append(model)
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert_gradients_agree(models)
    skip_without_a_device()


@pytest.mark.parametrize("kind", [cnn, bilstm])
def test_losses_and_gradients_of_discriminators_agree_with_the_cpu(kind):
    torch.manual_seed(0)
    judge = kind(600, dropout=0.0)
    batch = generate(make_generator(), 32, rng=seeded(0))
    labels = torch.arange(32) % 2.0
    models, losses = [], []
    for device in DEVICES:
        model, here = copy.deepcopy(judge).to(device), batch.to(device)
        loss = functional.binary_cross_entropy_with_logits(model(here), labels.to(device))
        loss.backward()
        models.append(model)
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert_gradients_agree(models)
    skip_without_a_device()


def test_drawn_tokens_are_those_of_the_cpu():
    """Of tokens after equal beginnings: what follows another token is another draw."""
    generator = make_generator()
    one, other = (
        generate(copy.deepcopy(generator).to(device), 2_000, rng=seeded(3)).to("cpu")
        for device in DEVICES
    )
    same = one.tokens == other.tokens
    before = torch.cat([torch.ones(len(one), 1), same[:, :-1].long().cumprod(1)], 1).bool()
    drawn = before & one.mask
    assert drawn.sum() > 5_000 and same[drawn].double().mean() >= 0.999
    skip_without_a_device()


class Squared:
    """The square of a reward."""

    def __init__(self, reward: DiscriminatorReward):
        self.reward = reward

    def __call__(self, sequences: Sequences) -> torch.Tensor:
        return self.reward(sequences).square()


def test_rollouts_agree_with_the_cpu():
    generator, count = make_generator(), 32
    batch = generate(generator, 6, rng=seeded(0))
    torch.manual_seed(0)
    judge = cnn(600, 8, (1, 3, 6), (10, 10, 10))
    values, squares = [], []
    for device in DEVICES:
        reward = DiscriminatorReward(copy.deepcopy(judge).to(device))
        model, here = copy.deepcopy(generator).to(device), batch.to(device)
        values.append(action_values(model, here, reward, count, rng=seeded(1)).cpu())
        squares.append(action_values(model, here, Squared(reward), count, rng=seeded(1)).cpu())
    error = ((squares[0] - values[0].square()).clamp(min=0) / (count - 1)).sqrt()
    apart = (values[0] - values[1]).abs()
    assert (apart <= 4 * error + 1e-5).all()
    # With the same random numbers they are much closer than that: few tokens differ.
    assert apart.mean() < 1e-3
    skip_without_a_device()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_the_speed_command_does_its_job_there(tmp_path):
    from benchmarks.cli import main

    output = tmp_path / "speed"
    assert main(["speed", "--device", DEVICES[1], "--tiny", "true", "--output", str(output)]) == 0
    assert output.with_suffix(".json").is_file()
