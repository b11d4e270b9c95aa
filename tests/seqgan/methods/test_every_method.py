"""Every method of ``seqgan run``: its rounds on a tiny grammar, and a run that is resumed."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file

from rollout.modules import own_copy
from seqgan.config import GrammarCorpus
from seqgan.config.methods import method_names
from seqgan.data.sources import load_data
from seqgan.training.control import run_control
from seqgan.training.scratch import at_the_start

from ..training.test_processes import launched
from .fine_tuning import Ended, Kept, settings, tuned, weights
from .shared import all_weights

QUICK = ("cot", "psi-mle", "dgsan", "leakgan")
"""Methods whose resumed run is among the fast tests: a mediator, kept samples, a former self, MLE
that goes on after the discriminator's training."""


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=40, num_validation=8, num_heldout=10, num_test=4)
    return load_data("grammar", corpus, seed=0)


@pytest.fixture(autouse=True)
def few_samples_are_watched(monkeypatch):
    monkeypatch.setattr("seqgan.training.health.SAMPLES", 20)


@pytest.mark.parametrize("name", method_names())
def test_its_rounds_move_the_policy(name, data):
    config = settings(name)
    work, runtime = tuned(config, data)
    began = own_copy(work.reference)
    at_the_start(began, config, data)  # of a method from scratch not the pretrained policy
    start = torch.cat([each.detach().flatten() for each in began.parameters()])
    assert not torch.equal(weights(work), start)
    shown = [line for lines in runtime.lines.values() for line in lines]
    numbers = [value for line in shown for value in line.values() if isinstance(value, float)]
    assert len(numbers) > 10 and all(math.isfinite(number) for number in numbers)
    assert math.isfinite(work.player.spread) and work.player.spread >= 0


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in method_names()
    ],
)
def test_a_resumed_run_is_the_same(name, data):
    config = settings(name, adversarial={"measure_every": 1})
    whole, runtime = tuned(config, data)
    total = runtime.pauses
    for end in {max(1, total // 3), max(1, total - 2)}:  # without a critic there are few
        kept = Kept()
        with pytest.raises(Ended):
            tuned(config, data, kept, end)
        parts, _ = tuned(config, data, Kept(kept.checkpoint()))
        assert torch.equal(weights(parts), weights(whole)), end
        assert parts.player.spread == whole.player.spread


def test_losses_are_read_after_the_last_step_of_a_stretch(data):
    config, kept = settings("distill"), Kept()
    with pytest.raises(Ended):
        tuned(config, data, kept, config.critic.steps)  # the discriminator's last step
    assert kept.checkpoint()[1]["critic"]["learner"]["sum"] is not None
    resumed = Kept(kept.checkpoint())
    tuned(config, data, resumed)
    assert resumed.checkpoint()[1]["critic"]["learner"]["sum"] is None


@pytest.mark.parametrize("name", ["scratchgan", "maligan", "jsdgan"])
def test_its_control_begins_where_it_began(name, data):
    config = settings(name)
    work, runtime = tuned(config, data)
    policy = work.reference
    noise = type(policy)(policy.settings, policy.spec)
    noise.load_state_dict(policy.state_dict())
    rounds = run_control(
        noise, policy, 1.0, config, data, lambda model: {"score": 0.0}, runtime
    )  # fmt: skip
    assert rounds.rounds_done == config.adversarial.rounds
    assert rounds.generator.settings.discount == 1  # the noise of a sequence reaches all its tokens


def test_a_control_without_noise_says_so_and_stays(data):
    config = settings("scheduled-sampling")
    work, runtime = tuned(config, data)
    assert work.player.spread == 0
    said = []
    runtime.say = said.append
    noise = own_copy(work.reference).requires_grad_(True)
    run_control(noise, work.reference, 0.0, config, data, lambda model: {"score": 0.0}, runtime)
    assert any("no spread" in line for line in said)
    for one, two in zip(noise.parameters(), work.reference.parameters(), strict=True):
        assert torch.equal(one, two)


def test_leakgans_control_sees_the_discriminator(data):
    config = settings("leakgan", adversarial={"rounds": 1})
    work, runtime = tuned(config, data)
    noise = own_copy(work.reference).requires_grad_(True)
    run_control(
        noise, work.reference, 0.1, config, data, lambda model: {"score": 0.0}, runtime,
        discriminator=work.discriminator,
    )  # fmt: skip
    assert torch.equal(noise.embedding.leaked, work.discriminator.embedding.weight)
    assert not torch.equal(noise.embedding.leaked, work.reference.embedding.leaked)
    # both were trained by MLE again with the features of a trained discriminator
    assert config.adversarial.mle_epochs and {"again", "control-again"} <= {*runtime.lines}


@pytest.mark.slow
def test_two_processes_are_one(tmp_path):
    place = tmp_path / "two.safetensors"
    code, _, error = launched(["tests.seqgan.methods.shared", str(place)])
    assert code == 0, error
    two, one = load_file(place), all_weights()
    for name, found in one.items():
        assert torch.allclose(found, two[name], rtol=0, atol=1e-6), name
