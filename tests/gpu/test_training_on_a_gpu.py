"""Whole trainings on a CUDA device, in each precision. Run with ``pytest -m gpu``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from seqgan.cli.main import main
from seqgan.config import GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.runs.run_directory import RunDirectory
from seqgan.training import begin
from seqgan.training.runtime import Runtime, make_accelerator

from ..recurrent_kernel import EVALUATION, SECOND
from ..seqgan.half_precision import assert_alike, gradients_of_a_run
from ..seqgan.tiny import TINY, without_report
from ..small import bilstm

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
SMOKE = [
    *TINY, "--device", "cuda", "--generator.layers", "2", "--generator.dropout", "0.3",
    "--discriminator.architecture", "bilstm", "--algorithm.kl_weight", "0.1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    without_report(monkeypatch)


@pytest.fixture(autouse=True)
def no_warning_of_weights_that_lie_apart():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*single contiguous chunk.*")
        yield


def policy_gradients(path: Path) -> list[dict]:
    """The log of the policy gradient steps of a finished run."""
    assert json.loads((path / "results.json").read_text())["verdict"]
    steps = [line for line in RunDirectory(path).read_log() if line["stage"] == "adversarial"]
    assert all(abs(line["loss"]) < 1e6 for line in steps)
    return steps


class TestTheKernel:
    """The claims that its double in `recurrent_kernel` makes."""

    def test_gradients_in_evaluation_mode(self):
        layer = nn.LSTM(4, 4, device="cuda").eval()
        with pytest.raises(RuntimeError, match=EVALUATION):
            layer(torch.randn(3, 2, 4, device="cuda"))[0].sum().backward()

    def test_second_derivatives(self):
        layer = nn.LSTM(4, 4, device="cuda")
        inputs = torch.randn(3, 2, 4, device="cuda", requires_grad=True)
        out = layer(inputs)[0].sum()
        with pytest.raises(RuntimeError, match=SECOND):
            (gradient,) = torch.autograd.grad(out, inputs, create_graph=True)
            gradient.norm().backward()


def test_saliency_and_a_gradient_penalty_of_a_discriminator():
    torch.manual_seed(0)
    judge = bilstm(9, 4, 5, dropout=0.5).to("cuda").eval()
    lengths = torch.tensor([4, 2], device="cuda")
    embedded = torch.randn(2, 4, 4, device="cuda", requires_grad=True)
    logits = judge.forward_embedded(embedded, lengths)
    (saliency,) = torch.autograd.grad(logits.sum(), embedded)
    assert not saliency[1, 2:].any()
    with torch.backends.cudnn.flags(enabled=False):
        again = judge.forward_embedded(embedded, lengths)
    (gradient,) = torch.autograd.grad(again.sum(), embedded, create_graph=True)
    assert torch.allclose(gradient, saliency, atol=1e-3)
    (gradient.flatten(1).norm(dim=1) - 1).square().mean().backward()
    weight = judge.ahead.weight_hh_l0.grad
    assert weight is not None and weight.abs().max() > 0


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_a_run_from_the_command_line(tmp_path, precision):
    if precision == "bf16" and not torch.cuda.is_bf16_supported():
        pytest.skip("this CUDA device has no bf16")
    path = tmp_path / "run"
    words = ["run", *SMOKE, "--precision", precision, "--output_dir", str(path)]
    assert main(words) == 0
    assert len(policy_gradients(path)) == 3


@pytest.mark.parametrize(
    "changes",
    [
        ["--algorithm.loss", "clipped", "--algorithm.updates", "2"],
        ["--rewards", "random", "--algorithm.rollouts", "0"],
        ["--rewards", "[{precision: bf16}]", "--discriminator.architecture", "cnn"],
    ],
    ids=["clipped", "random", "bf16 scores"],
)
def test_a_run_with_other_settings(tmp_path, changes):
    path = tmp_path / "run"
    assert main(["run", *SMOKE, *changes, "--output_dir", str(path)]) == 0
    assert len(policy_gradients(path)) == 3


def test_a_fine_tuning_of_a_run(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["pretrain", *SMOKE, "--output_dir", str(first)]) == 0
    words = ["--adversarial.rounds", "2", "--output_dir", str(second), "--device", "cuda"]
    assert main(["finetune", "--run", str(first), *words]) == 0
    assert len(policy_gradients(second)) == 2


@pytest.mark.parametrize("judged_by", ["cnn", "bilstm"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_gradients_agree_with_full_precision(precision, judged_by):
    if precision == "bf16" and not torch.cuda.is_bf16_supported():
        pytest.skip("this CUDA device has no bf16")
    corpus = GrammarCorpus(num_train=40, num_validation=10, num_heldout=20, num_test=4)
    data = load_data("grammar", corpus, seed=1)
    exact, half = (
        gradients_of_a_run(data, Runtime(make_accelerator("cuda", each), seed=3), judged_by)
        for each in ("no", precision)
    )
    for name, one in exact.items():
        assert_alike(half[name], one, precision)


def test_an_fp16_run_across_overflows_that_is_resumed(tmp_path, monkeypatch):
    """The scale is doubled every other step, and goes down where a gradient overflows."""
    scales: dict[int, float] = {}
    pause = Runtime.pause

    def made(*arguments, **kwargs):
        accelerator = make_accelerator(*arguments, **kwargs)
        accelerator.scaler = torch.amp.GradScaler("cuda", init_scale=2.0**24, growth_interval=2)
        return accelerator

    def noting(self: Runtime) -> None:
        scales[self.steps_done] = self.accelerator.scaler.get_scale()
        pause(self)

    monkeypatch.setattr(begin, "make_accelerator", made)
    monkeypatch.setattr(Runtime, "pause", noting)
    path = tmp_path / "run"
    words = ["run", *SMOKE, "--precision", "fp16", "--output_dir", str(path)]
    assert main([*words, "--checkpoint.every_steps", "1", "--checkpoint.keep", "100"]) == 0
    assert len(policy_gradients(path)) == 3
    fell = [step for step in scales if scales[step] < scales.get(step - 1, 0)]
    assert fell and max(fell) > 14  # in the rounds too
    before = scales.pop(15)
    assert main(["run", "--resume", str(path / "checkpoints" / "step-00000014")]) == 0
    assert scales[15] == before
    assert len(policy_gradients(path)) == 3
