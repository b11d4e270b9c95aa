"""Gradients of training steps in 16 bits, and fp16 on a CPU.

The toolkit refuses fp16 on a CPU. Here are the scaler and the autocast of a CUDA device there, so
that its rules can be tested without one.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from seqgan.config import CNN, LSTM, BiLSTM, CriticConfig, PretrainConfig
from seqgan.data.dataset import Dataset
from seqgan.models import make_discriminator, make_generator
from seqgan.training import begin
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.pretrain import Pretraining
from seqgan.training.runtime import Runtime, make_accelerator

from .rounds import critic_of, work_of
from .settings import run_settings

STILL = 1e-9
"""A learning rate so small that all steps find the same models."""


def fp16_accelerator(scale: float = 2.0**16, growth_interval: int = 2000, **kwargs: Any):
    """accelerate with fp16's scaler and autocast on a CPU.

    Args:
        scale: the loss's scale at first.
        growth_interval: steps without overflow after which the scale is doubled.
        kwargs: of `make_accelerator`.
    """
    accelerator: Accelerator = make_accelerator("cpu", **kwargs)
    accelerator.scaler = torch.amp.GradScaler(
        "cpu", init_scale=scale, growth_interval=growth_interval
    )
    accelerator.native_amp = True
    accelerator.state._mixed_precision = "fp16"
    return accelerator


def allow_fp16(patch: pytest.MonkeyPatch, scale: float, growth_interval: int) -> None:
    """``--precision fp16`` of a run on a CPU is done by the double."""

    def made(device: str, precision: str, *arguments: Any, **kwargs: Any) -> Accelerator:
        assert (device, precision) == ("cpu", "fp16")
        for name, value in zip(("folder", "trackers"), arguments, strict=False):
            kwargs[name] = value
        return fp16_accelerator(scale, growth_interval, **kwargs)

    patch.setattr(begin, "make_accelerator", made)


def gradient(model: nn.Module) -> Tensor:
    """All gradients of a model in one row, float64."""
    found = [each.grad.flatten() for each in model.parameters() if each.grad is not None]
    return torch.cat(found).double().cpu()


def gradients_of_a_run(
    data: Dataset, runtime: Runtime, judged_by: str, mle: bool = True
) -> dict[str, Tensor]:
    """The gradients of a step of each training, in the order of a run.

    Args:
        data: at most 40 training sequences.
        runtime: device and precision.
        judged_by: cnn or bilstm.
        mle: a step of MLE comes first; without it the order is that of a fine-tuning.
    """
    small = LSTM(embedding=8, hidden=12, dropout=0.0)
    generator = make_generator(small, data.spec, 0).to(runtime.device)
    found = {}
    if mle:
        config = PretrainConfig(batch_size=40, optimizer={"learning_rate": STILL, "clip_norm": 1e5})
        Pretraining(generator, data.train, data.validation, config, runtime).epoch()
        found["mle"] = gradient(generator)
    described = CNN(embedding=8, filter_share=0.1, dropout=0.0)
    if judged_by == "bilstm":
        described = BiLSTM(embedding=8, hidden=8, dropout=0.0)
    judge = make_discriminator(described, data.spec, 0)
    judging = CriticConfig(batch_size=20, optimizer={"learning_rate": STILL, "clip_norm": 1e5})
    critic = critic_of(judge, generator, data, judging, runtime)
    critic.train_until(1, CriticPretraining(critic).negatives)
    found["discriminator"] = gradient(judge)
    rounds = run_settings(
        batch_size=20, rollouts=2, learning_rate=STILL, entropy_weight=0.1, kl_weight=0.1,
        clip_norm=1e5,
    )  # fmt: skip
    work_of(generator, judge, data, rounds, runtime, critic).player.step()
    found["policy gradient"] = gradient(generator)
    return found


def assert_alike(half: Tensor, exact: Tensor, precision: str) -> None:
    """Norms within 2%, and nearly the same direction, but not the same numbers."""
    # bf16 has three bits less: eight times the error, and the cosine falls with its square.
    least = {"fp16": 0.999, "bf16": 0.99}[precision]
    assert not torch.equal(half, exact)
    assert float(half.norm() / exact.norm()) == pytest.approx(1, abs=0.02)
    assert float(half @ exact / (half.norm() * exact.norm())) > least
