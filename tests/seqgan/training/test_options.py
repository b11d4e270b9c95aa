"""Options of training: optimizers, schedules, averages of weights, losses of MLE."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rollout import ConstantReward, Sequences, generate
from rollout.modules import own_copy
from seqgan.config import LSTM, GrammarCorpus, OptimizerConfig, PretrainConfig, Ratio
from seqgan.config.algorithms.base import PolicyOptimizer
from seqgan.config.critic import CriticOptimizer
from seqgan.config.pretrain import PretrainOptimizer
from seqgan.data.sources import load_data
from seqgan.data.spec import TokenSpec
from seqgan.errors import ConfigError, MissingExtraError
from seqgan.metrics.likelihood import token_nll
from seqgan.models import make_generator
from seqgan.runs.state import pack, unpack
from seqgan.training.learner import Learner
from seqgan.training.mle_loss import MLELoss, own_inputs, smoothed_nll
from seqgan.training.players import Materials
from seqgan.training.pretrain import Pretraining, pretrain
from seqgan.training.processes import Part
from seqgan.training.ratio import RatioUpdates
from seqgan.training.runtime import Runtime, make_accelerator

from ..rounds import noting, work_of
from ..settings import changed, run_settings

SPEC = TokenSpec(8, 1, 2, 0, 6, (0, 1))


def runtime() -> Runtime:
    return Runtime(make_accelerator("cpu"), 3)


def learner(**settings) -> Learner:
    config = OptimizerConfig(**{"name": "adam", "learning_rate": 0.1, **settings})
    torch.manual_seed(0)
    return Learner(nn.Linear(3, 2), config, runtime(), "test", "do")


def step(each: Learner, number: int) -> None:
    rng = torch.Generator().manual_seed(number)
    loss = (each.model(torch.randn(4, 3, generator=rng)) - 1).square().mean()
    each.update(loss)


def through_a_file(state):
    tensors, skeleton = pack(state)
    return unpack(skeleton, tensors)


OPTIONS = [
    {"name": "radam"},
    {"name": "adamw", "lookahead_steps": 3},
    {"name": "radam", "lookahead_steps": 2, "average_decay": 0.9},
    {"average_decay": 0.5, "schedule": "linear", "decay_steps": 4, "warmup_steps": 3},
    {"schedule": "plateau", "warmup_steps": 4},
]


@pytest.mark.parametrize("settings", OPTIONS, ids=str)
def test_every_option_resumes_exactly(settings):
    whole, first, second = (learner(**settings) for _ in range(3))
    for number in range(9):
        step(whole, number)
        if number < 4:
            step(first, number)
    second.model.load_state_dict(first.model.state_dict())
    second.load_state_dict(through_a_file(first.state_dict()))
    for number in range(4, 9):
        step(second, number)
    for ours, theirs in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert second.rate == whole.rate
    if whole.average is not None:
        assert all(
            torch.equal(*each) for each in zip(whole.average.mean, second.average.mean, strict=True)
        )


def test_lookahead_by_hand():
    ours, plain = learner(lookahead_steps=2), learner()
    start = plain.model.weight.detach().clone()
    for number in range(2):
        step(ours, number)
        step(plain, number)
    assert torch.allclose(ours.model.weight, (start + plain.model.weight) / 2, atol=1e-6)
    ours.soften()  # slow weights begin again from where the model is
    before = ours.model.weight.detach().clone()
    for number in range(2):
        step(ours, number)
    assert (ours.model.weight - before).abs().max() < 0.06  # half of two steps of 0.05


def test_lookahead_without_its_package_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(MissingExtraError, match=r"lookahead_steps needs .* \[?'?seqgan-toolkit"):
        learner(lookahead_steps=2)


def test_warm_up_and_the_line_by_hand():
    each = learner(
        learning_rate=0.8, warmup_steps=4, schedule="linear", decay_steps=4, final_share=0.5
    )
    rates = [each.rate]
    for number in range(9):
        step(each, number)
        rates.append(each.rate)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.7, 0.6, 0.5, 0.4, 0.4])


def test_plateau_watches_the_measurement_that_is_named():
    figures = [(3.0, 0.5), (2.0, 0.4), (1.0, 0.6)]  # NLL falls; the other one does not
    config = CriticOptimizer(schedule="plateau", plateau_metric="heldout_gain", learning_rate=0.8)
    ours = Learner(nn.Linear(1, 1), config, runtime(), "test", "do")
    rates = []
    for loss, gain in figures:
        ours.measured(loss, {"heldout_gain": gain})
        rates.append(ours.rate)
    assert rates == [0.8, 0.4, 0.4]  # a gain is better if it is larger
    with pytest.raises(
        ConfigError, match="plateau_metric: 'validation_nl' .* mean 'validation_nll'"
    ):
        PretrainOptimizer(plateau_metric="validation_nl")


def test_the_average_by_hand():
    each = learner(average_decay=0.3)
    seen = [each.model.weight.detach().clone()]
    for number in range(3):
        step(each, number)
        seen.append(each.model.weight.detach().clone())
    mean = seen[0]
    for t, weight in enumerate(seen[1:], start=1):
        keep = min(0.3, (1 + t) / (10 + t))  # 2/11, 3/12, 0.3
        mean = keep * mean + (1 - keep) * weight
    with each.averaged():
        assert torch.allclose(each.model.weight, mean, atol=1e-7)
        inside = through_a_file(each.state_dict())
    assert torch.equal(each.model.weight, seen[-1])
    again = learner(average_decay=0.3)
    again.load_state_dict(inside)  # a checkpoint that was written with the average in the model
    assert torch.equal(again.model.weight, seen[-1])
    again.end(restored=False)
    assert torch.allclose(again.model.weight, mean, atol=1e-7)


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=30, num_heldout=20, num_test=20)
    return load_data("grammar", corpus, seed=1)


def small(data):
    return make_generator(LSTM(embedding=8, hidden=12, dropout=0.2), data.spec, 0)


def test_what_mle_keeps_is_the_average(data):
    config = PretrainConfig(epochs=2, batch_size=16, optimizer={"average_decay": 0.9})
    for early in (True, False):
        policy = small(data)
        work = pretrain(
            policy, data.train, data.validation, changed(config, early_stopping=early), runtime()
        )
        assert token_nll(policy, data.validation) == pytest.approx(work.history[-1], rel=1e-6)
        raw = small(data)
        other = pretrain(
            raw, data.train, data.validation, changed(config, average_decay=0.0), runtime()
        )
        assert work.history != other.history


def test_the_rounds_measure_and_keep_the_average(data):
    settings = run_settings(
        rounds=2, measure_every=1, batch_size=8, rollouts=0, critic_steps=0, average_decay=0.9,
        learning_rate=0.05, early_stopping=False, rewards=[{"name": "random"}],
    )  # fmt: skip
    work = work_of(small(data), None, data, settings, runtime())
    seen = []

    def validate(policy):
        seen.append(policy.head.weight.detach().clone())
        return {"score": float(-len(seen)), "nll": 0.0, "entropy": 0.0}

    kept = []
    work.rounds.keep = lambda: kept.append(work.generator.head.weight.detach().clone())
    work.play(validate)
    index = [name for name, _ in work.generator.named_parameters()].index("head.weight")
    assert torch.allclose(seen[-1], work.player.learner.average.mean[index])
    assert all(torch.equal(*each) for each in zip(seen, kept, strict=True))
    assert torch.equal(work.generator.head.weight, seen[-1])


def test_a_collapse_of_the_entropy_is_no_progress():
    """The plateau of the rate waits for more of it: less is what a collapse looks like."""
    settings = {"schedule": "plateau", "plateau_metric": "entropy", "plateau_patience": 0}
    config = PolicyOptimizer(learning_rate=0.8, **settings)
    rates = []
    for values in ((2.0, 1.0, 0.5), (2.0, 2.5, 3.0)):
        each = Learner(nn.Linear(3, 2), config, runtime(), "test", "do")
        for value in values:
            step(each, 0)
            each.measured(0.0, {"entropy": value})
        rates.append(each.rate)
    assert rates == pytest.approx([0.2, 0.8])


def test_the_mixed_loss_adds_the_nll_of_real_sequences(data, monkeypatch):
    losses = {}
    for weight in (0.0, 2.0):
        settings = run_settings(
            batch_size=8, rollouts=0, mle_weight=weight, rewards=[{"name": "random"}]
        )
        work = work_of(small(data), None, data, settings, runtime())
        rng = work.runtime.rng("adversarial", "real", 0)
        rows = torch.randint(60, (8,), generator=rng)
        real = data.train.select(rows)
        nll = -work.generator.eval()(real).log_prob.sum() / real.lengths.sum()
        noting(monkeypatch, work.player, losses, weight)
        work.player.step()
    assert losses[2.0] - losses[0.0] == pytest.approx(2 * nll.item(), rel=1e-4)


def test_the_mixed_loss_of_the_ratio_is_the_same(data, monkeypatch):
    losses, policy = {}, small(data).eval()
    rng = runtime().rng("adversarial", "real", 0)
    real = data.train.select(torch.randint(60, (8,), generator=rng))
    nll = -policy(real).log_prob.sum() / real.lengths.sum()
    for weight in (0.0, 2.0):
        materials = Materials(
            policy, policy, ConstantReward(1.0), None, data.train, data.prompts(), runtime()
        )
        settings = Ratio(batch_size=8, mle_weight=weight)
        player = RatioUpdates(settings, materials)
        noting(monkeypatch, player, losses, weight)
        start = own_copy(policy).state_dict()
        player.step()
        policy.load_state_dict(start)
        assert settings.as_policy_gradient().mle_weight == weight  # the control has it too
    assert losses[2.0] - losses[0.0] == pytest.approx(2 * nll.item(), rel=1e-4)


def tiny():
    policy = make_generator(LSTM("lstm", 6, 8, dropout=0.0), SPEC, seed=0)
    batch = generate(policy, 40, rng=torch.Generator().manual_seed(0))
    return policy, batch


def test_label_smoothing_by_hand():
    logits = torch.tensor([[[0.5, 0.25, 0.25, 0.0]]]).log()  # the last token is impossible
    batch = Sequences(torch.tensor([[0]]), torch.tensor([1]))
    everyone = (math.log(0.5) + 2 * math.log(0.25)) / 3
    expected = -(0.7 * math.log(0.5) + 0.3 * everyone)
    assert smoothed_nll(logits, batch, 0.3).item() == pytest.approx(expected, rel=1e-6)
    policy, batch = tiny()
    part, rng = Part(0, 40, 40), torch.Generator()
    plain = MLELoss(PretrainConfig())(policy, batch, part, 0, rng)
    almost = smoothed_nll(policy.logits(batch), batch, 0.0)
    assert plain.item() == pytest.approx(almost.item(), rel=1e-6)
    smoothed = MLELoss(PretrainConfig(label_smoothing=0.2))(policy, batch, part, 0, rng)
    assert smoothed.item() == pytest.approx(
        smoothed_nll(policy.logits(batch), batch, 0.2).item(), rel=1e-6
    )
    smoothed.backward()
    assert all(each.grad.isfinite().all() for each in policy.parameters())


def test_scheduled_sampling_feeds_the_models_own_tokens():
    policy, batch = tiny()
    numbers = torch.rand(2, 40, 6, generator=torch.Generator().manual_seed(1))
    none = own_inputs(policy, batch, 0.0, *numbers)
    assert torch.equal(none.tokens, batch.tokens)
    all_own = own_inputs(policy, batch, 1.0, *numbers)
    # Only own tokens: the same as free sampling with the same uniforms, up to the lengths.
    state, last = policy.initial_state(40), torch.full((40,), SPEC.bos_id)
    from rollout import Sampler

    for t in range(batch.tokens.shape[1]):
        last, state = policy.sample_next(last, state, numbers[0, :, t].double(), Sampler())
        inside = batch.mask[:, t]
        assert torch.equal(all_own.tokens[inside, t], last[inside])
    half = own_inputs(policy, batch, 0.5, *numbers)
    changed_tokens = (half.tokens != batch.tokens)[batch.mask]
    assert 0.2 < changed_tokens.float().mean() < 0.5  # an own token may be the real one
    assert torch.equal(half.lengths, batch.lengths)


def test_the_share_of_own_tokens_rises_along_a_line():
    loss = MLELoss(PretrainConfig(scheduled_sampling=0.4, scheduled_sampling_steps=10))
    assert [loss.share(n) for n in (0, 5, 10, 99)] == pytest.approx([0.0, 0.2, 0.4, 0.4])


@pytest.mark.parametrize(
    "settings", [{"scheduled_sampling": 0.5}, {"label_smoothing": 0.1}], ids=str
)
def test_the_parts_of_a_batch_add_up(settings):
    policy, batch = tiny()
    config = PretrainConfig(**settings, scheduled_sampling_steps=1)

    def share(part: Part) -> float:
        rng = torch.Generator().manual_seed(4)
        return MLELoss(config)(policy, batch, part, 5, rng).item()

    whole = share(Part(0, 40, 40))
    assert share(Part(0, 25, 40)) + share(Part(25, 15, 40)) == pytest.approx(whole, rel=1e-5)


def test_pretraining_with_every_option_resumes(data):
    config = PretrainConfig(
        epochs=2, batch_size=16, scheduled_sampling=0.5, scheduled_sampling_steps=3,
        label_smoothing=0.1,
        optimizer={"average_decay": 0.8, "lookahead_steps": 2, "name": "radam", "warmup_steps": 3},
    )  # fmt: skip

    def work(policy):
        return Pretraining(policy, data.train, data.validation, config, runtime())

    whole = work(small(data))
    while not whole.finished:
        whole.epoch()
    first = work(small(data))
    first.epoch()
    second = work(small(data))
    second.generator.load_state_dict(first.generator.state_dict())
    second.load_state_dict(through_a_file(first.state_dict()))
    second.epoch()
    assert second.history == whole.history
    for ours, theirs in zip(
        whole.generator.parameters(), second.generator.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_both_kinds_of_sequences_are_changed_before_a_step(data):
    from seqgan.config import BiLSTM, CriticConfig
    from seqgan.models import make_discriminator
    from seqgan.training.critic import Critic

    seen = []

    def augment(sequences, rng):
        seen.append((sequences, rng.initial_seed()))
        return sequences

    for both in (True, False):
        config = CriticConfig(batch_size=8, augment_generated=both)
        judge = make_discriminator(BiLSTM(embedding=4, hidden=4), data.spec, 0)
        policy = small(data)
        critic = Critic(judge, policy, data.train, data.heldout, config, runtime(), augment)
        seen.clear()
        critic.steps(2)
        assert len(seen) == (4 if both else 2) and all(len(each) == 8 for each, _ in seen)
        assert len({seed for _, seed in seen}) == 2  # fresh numbers for each step
