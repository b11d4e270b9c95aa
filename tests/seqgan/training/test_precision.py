"""Training steps in 16 bits: bf16 as it is, and fp16 by a double of a CUDA device's."""

from __future__ import annotations

import signal

import pytest
import torch
from torch import nn

from rollout import generate
from rollout.devices import autocast
from rollout.policy import Policy
from seqgan.cli.main import main
from seqgan.config import LSTM, GrammarCorpus, PretrainConfig
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError, NonFiniteLossError
from seqgan.models import make_generator
from seqgan.runs.run_directory import RunDirectory
from seqgan.training.learner import Learner
from seqgan.training.pretrain import Pretraining
from seqgan.training.runtime import Runtime, make_accelerator

from ..half_precision import (
    allow_fp16,
    assert_alike,
    fp16_accelerator,
    gradient,
    gradients_of_a_run,
)
from ..tiny import STEPS, TINY, differences, outcome, without_report


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=40, num_validation=10, num_heldout=20, num_test=4)
    return load_data("grammar", corpus, seed=1)


def runtime_of(precision: str) -> Runtime:
    accelerator = fp16_accelerator() if precision == "fp16" else make_accelerator("cpu", precision)
    return Runtime(accelerator, seed=3)


@pytest.mark.parametrize("judged_by", ["cnn", "bilstm"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_gradients_agree_with_full_precision(data, precision, judged_by):
    exact, half = (
        gradients_of_a_run(data, runtime_of(each), judged_by) for each in ("no", precision)
    )
    assert len(exact) == 3
    for name, one in exact.items():
        assert_alike(half[name], one, precision)


def test_a_run_and_a_fine_tuning_have_the_same_gradient(data):
    """Two optimizers hold the generator's parameters in a run, one in a fine-tuning."""
    run, finetuning = (
        gradients_of_a_run(data, runtime_of("fp16"), "cnn", mle=each) for each in (True, False)
    )
    assert (run["policy gradient"] - finetuning["policy gradient"]).norm() < (
        1e-4 * run["policy gradient"].norm()
    )


def learner_of(runtime: Runtime, model: nn.Module, fused: bool = False) -> Learner:
    """Plain gradient descent with steps of 1."""
    config = PretrainConfig(optimizer={"clip_norm": 0.5, "schedule": "constant"}).optimizer
    learner = Learner(model, config, runtime, "test", "do")
    plain = torch.optim.SGD(model.parameters(), lr=1.0, fused=fused)
    _, learner.optimizer = runtime.prepare(model, plain)
    return learner


class TestTheScaler:
    def step(self, runtime, model, optimizer, factor=1.0):
        learner = learner_of(runtime, model)
        learner.optimizer = optimizer
        return learner._step(factor * model(torch.ones(1, 1)).sum())

    def test_the_norm_whatever_other_optimizers_there_are(self):
        runtime, model = runtime_of("fp16"), nn.Linear(1, 1)
        for _ in range(3):
            _, optimizer = runtime.prepare(model, torch.optim.AdamW(model.parameters(), lr=0.0))
            _, norm = self.step(runtime, model, optimizer)
            assert float(norm) == pytest.approx(2**0.5)  # the gradient is (1, 1)
            assert float(gradient(model).norm()) == pytest.approx(0.5)  # clipped

    @pytest.mark.parametrize("fused", [False, True])
    def test_a_step_that_overflows_is_skipped_and_counts_for_nothing(self, fused):
        runtime, model = runtime_of("fp16"), nn.Linear(1, 1)
        runtime.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
        learner, weights = learner_of(runtime, model, fused), []
        for _ in range(3):
            weights.append(model.weight.item())
            loss = 8.0 * model(torch.ones(1, 1)).sum()
            learner.update(loss)
        weights.append(model.weight.item())
        # 8 x 2^127 and 8 x 2^126 and 8 x 2^125 are above the largest float32.
        assert weights[0] == weights[1] == weights[2] == weights[3]
        assert runtime.accelerator.scaler.get_scale() == 2.0**124
        assert learner.mean_loss() == pytest.approx(loss.item())
        _, norm = self.step(runtime, model, learner.optimizer, 8.0)
        assert float(norm) == pytest.approx(8 * 2**0.5)
        assert model.weight.item() == pytest.approx(weights[0] - 0.5 / 2**0.5)

    def test_a_gradient_that_is_not_finite_at_any_scale_is_an_error(self):
        runtime, model = runtime_of("fp16"), nn.Linear(1, 1)
        runtime.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        _, optimizer = runtime.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
        model.weight.register_hook(lambda grad: grad * torch.nan)
        norms = [float(self.step(runtime, model, optimizer)[1]) for _ in range(3)]
        assert norms[:2] == [0, 0] and norms[2] != norms[2]  # at scales 4, 2 and 1
        learner = learner_of(runtime, model)
        learner.update(model(torch.ones(1, 1)).sum())
        with pytest.raises(NonFiniteLossError, match="the loss or its gradient became nan"):
            learner.mean_loss()

    def test_a_loss_that_is_not_finite_is_an_error(self):
        runtime, model = runtime_of("fp16"), nn.Linear(1, 1)
        learner = learner_of(runtime, model)
        learner.update(float("inf") * model(torch.ones(1, 1)).sum())
        with pytest.raises(NonFiniteLossError, match="became -?(inf|nan)"):
            learner.mean_loss()


class TestOurModels:
    def test_only_training_steps_are_in_16_bits(self, data):
        """Measurements, samples and copies are in full precision."""
        runtime = runtime_of("bf16")
        generator = make_generator(LSTM(embedding=8, hidden=12), data.spec, 0)
        expected = generator.eval()(data.test).log_prob
        config = PretrainConfig(batch_size=40)
        work = Pretraining(generator, data.train, data.validation, config, runtime)
        assert work.learner.model is generator and "forward" not in vars(generator)
        assert torch.equal(generator(data.test).log_prob, expected)
        with runtime.autocast():
            half = generator(data.test).log_prob
        assert half.dtype == torch.float32 and 0 < (half - expected).abs().max() < 0.1

    def test_padding_and_each_way_to_the_scores(self, data, monkeypatch):
        generator = make_generator(LSTM(embedding=8, hidden=12), data.spec, 0).eval()
        batch = generate(generator, 9, rng=torch.Generator().manual_seed(0))
        found = []
        with runtime_of("bf16").autocast():
            found += [*generator(batch), *Policy.forward(generator, batch)]
            monkeypatch.setattr("rollout.devices._FREE_TO_READ", ())
            found += [*generator(batch)]
        for log_prob, entropy in (found[0:2], found[2:4], found[4:6]):
            assert log_prob.dtype == entropy.dtype == torch.float32
            assert not log_prob[~batch.mask].any() and not entropy[~batch.mask].any()
            assert (log_prob - found[0]).abs().max() < 0.1
            assert (entropy - found[1]).abs().max() < 0.1


def test_which_device_has_which_precision():
    assert make_accelerator("cpu", "bf16").mixed_precision == "bf16"
    with pytest.raises(ConfigError, match="--precision: fp16 is for CUDA devices; bf16 works on"):
        make_accelerator("cpu", "fp16")


def test_an_lstm_on_a_cpu_whose_onednn_has_none_in_16_bits(monkeypatch):
    """oneDNN raises "could not create a primitive descriptor" there."""
    monkeypatch.setattr("rollout.devices._has_lstm", lambda dtype: False)
    before = torch.backends.mkldnn.enabled
    with pytest.raises(ZeroDivisionError), autocast(torch.device("cpu"), torch.bfloat16):
        assert not torch.backends.mkldnn.enabled
        layer, inputs = nn.LSTM(2, 3), torch.randn(4, 1, 2)
        half = layer(inputs)[0].float()
        with autocast(torch.device("cpu"), None):
            assert 0 < (layer(inputs)[0] - half).abs().max() < 0.02
        raise ZeroDivisionError
    assert torch.backends.mkldnn.enabled == before
    with autocast(torch.device("cpu"), None):
        assert torch.backends.mkldnn.enabled == before


class TestWholeRuns:
    @pytest.fixture(autouse=True)
    def no_report(self, monkeypatch):
        without_report(monkeypatch)

    def test_bf16_on_a_cpu(self, tmp_path):
        path = tmp_path / "run"
        assert main(["run", *TINY, "--precision", "bf16", "--output_dir", str(path)]) == 0
        log = RunDirectory(path).read_log()
        assert sum(line["stage"] == "adversarial" for line in log) == 3
        assert (path / "results.json").is_file()

    def test_fp16_across_overflows_ended_and_resumed(self, tmp_path, monkeypatch):
        """The scale goes up every other step, and down where a gradient overflows."""
        allow_fp16(monkeypatch, 2.0**24, 2)
        words = ["run", *TINY, "--precision", "fp16"]
        skipped, scales = [], []
        original = Runtime.pause

        def pause(self: Runtime) -> None:
            scales.append(self.accelerator.scaler.get_scale())
            if len(scales) > 1 and scales[-1] < scales[-2]:
                skipped.append(self.steps_done)
            if stop and self.steps_done == stop[-1]:
                stop.pop()
                signal.raise_signal(signal.SIGTERM)
            original(self)

        monkeypatch.setattr(Runtime, "pause", pause)
        stop: list[int] = []
        assert main([*words, "--output_dir", str(tmp_path / "calm")]) == 0
        calm = list(scales)
        assert len(calm) == STEPS and len(skipped) > 3
        assert max(skipped) > 14  # one of them at least in the rounds
        del scales[:]
        stop = [16, 4]
        path = tmp_path / "ended"
        assert main([*words, "--output_dir", str(path)]) == 143
        assert main(["run", "--resume", str(path)]) == 143
        assert main(["run", "--resume", str(path)]) == 0
        assert scales == calm
        assert not differences(outcome(tmp_path / "calm"), outcome(path))
