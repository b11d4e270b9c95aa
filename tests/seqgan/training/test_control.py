"""The control: what the method's own steps do with a reward that knows nothing."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
import torch

from rollout import Sequences, advantages, make_baseline
from rollout.modules import own_copy
from seqgan.cli.main import main
from seqgan.config import LSTM, BiLSTM, CriticConfig, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.models import make_discriminator, make_generator
from seqgan.runs.run_directory import RunDirectory
from seqgan.training.control import NoiseGradient, run_control
from seqgan.training.processes import Part
from seqgan.training.runtime import Runtime, make_accelerator
from seqgan.training.sampling import spread_over

from ..rounds import Work, control_of, work_of
from ..settings import changed, run_settings
from ..tiny import TINY, without_report

CONFIG = run_settings(
    rounds=3, measure_every=1, batch_size=16, rollouts=2, critic_steps=1, patience=0,
    learning_rate=1e-2, generator_steps=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=100, num_validation=50, num_heldout=50, num_test=50)
    return load_data("grammar", corpus, seed=1)


@pytest.fixture
def runtime(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {}, overwrite=False)
    return Runtime(make_accelerator("cpu"), seed=3, run=run)


def method(data, runtime, config=CONFIG) -> Work:
    """A method after its rounds."""
    policy = make_generator(LSTM(embedding=8, hidden=12), data.spec, 0)
    judge = make_discriminator(BiLSTM(embedding=8, hidden=8), data.spec, 0)
    config = replace(config, critic=CriticConfig(batch_size=8))
    work = work_of(policy, judge, data, config, runtime)
    for _ in range(config.adversarial.rounds):
        work.round()
    return work


def control(work: Work, validate):
    """The control of a method, after its rounds, and its policy."""
    policy = own_copy(work.reference).requires_grad_(True)
    rounds = run_control(
        policy, work.reference, work.player.spread, work.settings, work.data, validate, work.runtime
    )
    return rounds, policy


def falling():
    """A validation whose score improves with each call."""
    numbers = itertools.count()
    return lambda policy: {"score": -float(next(numbers))}


def test_it_begins_with_mle_and_changes_nothing_of_the_method(data, runtime):
    work = method(data, runtime)
    tuned = {name: value.clone() for name, value in work.generator.state_dict().items()}
    scores, fall = [], falling()
    rounds, _ = control(
        work, lambda policy: scores.append(policy.head.weight.clone()) or fall(policy)
    )
    assert torch.equal(scores[0], work.reference.head.weight)
    assert not torch.equal(scores[0], work.generator.head.weight)
    assert len(scores) == 1 + CONFIG.adversarial.rounds
    assert rounds.generator.progress.number == work.player.progress.number == 6
    assert not torch.equal(scores[-1], scores[0])
    assert all(torch.equal(tuned[name], v) for name, v in work.generator.state_dict().items())
    stages = {line["stage"] for line in runtime.run.read_log()}
    assert {"control", "control-validation"} <= stages


def test_its_steps_are_the_methods_and_its_reward_is_noise_of_the_methods_spread(data, runtime):
    work = method(data, runtime, changed(CONFIG, kl_weight=0.1, loss="clipped", updates=2))
    control = control_of(own_copy(work.generator), work)
    for name in ("optimizer", "batch_size", "baseline", "loss", "updates", "kl_weight"):
        assert getattr(control.settings, name) == getattr(work.player.settings, name), name
    assert control.settings.rollouts == 0
    assert control.noise == work.player.spread > 0
    tokens = torch.zeros(4_000, 3, dtype=torch.int64)
    batch = Sequences(tokens, torch.tensor([3, 2] * 2_000))
    rng = torch.Generator()

    def values_of(part: Part) -> torch.Tensor:
        mine = batch.select(part.rows)
        return control.values(mine, control.judged(batch, part, mine), part, rng)

    values = values_of(Part(0, 4_000, 4_000))
    assert torch.equal(values[:, 0], values[:, 1]) and (values[1::2, 2] == 0).all()
    # 4,000 draws of N(0, s): the mean within 4 s / 63, the deviation within 4 s / 89
    assert abs(float(values[:, 0].mean())) < 4 / 63 * control.noise
    assert float(values[:, 0].std()) == pytest.approx(control.noise, rel=4 / 89)
    # the same draws, whichever process works on a row
    second = values_of(Part(1_000, 3_000, 4_000))
    assert torch.equal(second, values[1_000:])
    control.progress.number += 1
    again = values_of(Part(0, 4_000, 4_000))
    assert abs(float(torch.corrcoef(torch.stack([again[:, 0], values[:, 0]]))[0, 1])) < 4 / 63


def test_the_spread_is_that_of_the_advantages_over_tokens(data, runtime, monkeypatch):
    # two sequences of 3 and 1 tokens with rewards 1 and 5, no baseline: 1, 1, 1, 5; mean 2,
    # deviations -1, -1, -1, 3, so the standard deviation is sqrt(12 / 4)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    values = torch.tensor([[1.0, 1, 1], [5, 0, 0]])
    found = advantages(values, mask, make_baseline("none"))
    assert float(spread_over(found, mask)) == pytest.approx(3**0.5)
    work = method(data, runtime, changed(CONFIG, transform="standardise", baseline="none"))
    assert work.player.spread == pytest.approx(1.0, abs=1e-4)


def test_a_control_that_goes_wrong_ends_alone(data, runtime, monkeypatch):
    work = method(data, runtime)
    count = []

    def broken(self, *arguments):
        count.append(1)
        values = original(self, *arguments)
        return values * float("nan") if len(count) == 4 else values

    original = NoiseGradient.values
    monkeypatch.setattr(NoiseGradient, "values", broken)
    rounds, policy = control(work, falling())
    assert rounds.stopped and rounds.rounds_done == 1 == rounds.best_round
    assert all(value.isfinite().all() for value in policy.parameters())


def test_a_run_keeps_what_its_control_came_to(tmp_path, monkeypatch, capsys):
    without_report(monkeypatch)
    for name, more in (("with", []), ("without", ["--evaluation.control", "false"])):
        assert main(["run", *TINY, "--output_dir", str(tmp_path / name), *more]) == 0
    whole, less = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("with", "without")
    )
    control = whole["control"]
    assert control["rounds"] == whole["adversarial"]["rounds"] == 3
    assert control["against_mle"]["metric"] == control["against_method"]["metric"]
    assert {score["name"] for score in whole["scores"]["control"]} >= {"nll", "js", "bleu-4"}
    for split in ("validation", "test"):
        curve = whole["sweep"][split]["control"]
        assert [point["temperature"] for point in curve] == [0.9, 1.0]
    assert less["control"] is None and "control" not in less["scores"]
    assert "control" not in less["sweep"]["test"]
    # nothing else depends on it
    for part in ("adversarial", "pretraining"):
        assert whole[part] == less[part]
    assert whole["scores"]["finetuned"] == less["scores"]["finetuned"]
    assert not (tmp_path / "with" / "samples" / "control.txt").exists()
