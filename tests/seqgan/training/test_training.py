"""Training: MLE, the discriminator and its held-out gain, adversarial rounds."""

from __future__ import annotations

import math
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rollout import Sequences, generate
from seqgan.config import LSTM, BiLSTM, CriticConfig, GrammarCorpus, PretrainConfig
from seqgan.data.sources import load_data
from seqgan.errors import NonFiniteLossError
from seqgan.metrics.gain import calibrate, gain, heldout_gain, is_unreliable, knowledge
from seqgan.metrics.likelihood import sequence_scores, token_nll
from seqgan.models import make_discriminator, make_generator
from seqgan.runs.run_directory import RunDirectory
from seqgan.training import critic
from seqgan.training.critic import Critic
from seqgan.training.critic_pretraining import CriticPretraining, pretrain_critic
from seqgan.training.pretrain import Convergence, Pretraining, convergence, pretrain
from seqgan.training.runtime import Runtime, make_accelerator

from ..rounds import Work, critic_of, work_of
from ..settings import changed, run_settings


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=400, num_validation=100, num_heldout=100, num_test=100)
    return load_data("grammar", corpus, seed=1)


@pytest.fixture
def runtime(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {}, overwrite=False)
    return Runtime(make_accelerator("cpu"), seed=3, run=run)


def small_generator(data, seed=0):
    return make_generator(LSTM(embedding=16, hidden=24, dropout=0.1), data.spec, seed)


def small_discriminator(data, seed=0):
    config = BiLSTM(embedding=8, hidden=8)
    return make_discriminator(config, data.spec, seed)


MLE = PretrainConfig(epochs=3, optimizer={"learning_rate": 0.02}, batch_size=32)


def test_nll_is_the_mean_over_tokens(data):
    policy = small_generator(data).eval()
    batch = data.test
    scores = sequence_scores(policy, batch, batch_size=7)
    one_by_one = torch.stack(
        [policy(batch.select(slice(i, i + 1)).trim()).log_prob.sum() for i in range(len(batch))]
    )
    assert torch.allclose(scores.log_prob.float(), one_by_one, atol=1e-3)
    expected = -one_by_one.sum() / batch.lengths.sum()
    assert token_nll(policy, batch) == pytest.approx(expected.item(), rel=1e-5)


def order_of(data, runtime, patch, state=None, **changes) -> tuple[list[list[int]], list[dict]]:
    """The numbers of the training sequences of every step, and the state after it."""
    config = changed(MLE, batch_size=64, early_stopping=False, **changes)
    work = Pretraining(small_generator(data), data.train, data.validation, config, runtime)
    if state is not None:
        work.load_state_dict(state)
    seen, states = [], []
    select = Sequences.select

    def spy(self, rows):
        if self is work.train:
            seen.append(rows.tolist())
        return select(self, rows)

    with patch.context() as inner:
        inner.setattr(Sequences, "select", spy)
        inner.setattr(Runtime, "pause", lambda self: states.append(work.state_dict()))
        while not work.finished:
            work.epoch()
    return seen, [*states, work.state_dict()]


def test_epochs_of_some_steps_go_through_the_same_order(data, runtime, monkeypatch):
    # 400 sequences in batches of 64: 7 steps a pass
    passes, _ = order_of(data, runtime, monkeypatch, epochs=3)
    short, states = order_of(data, runtime, monkeypatch, epochs=7, epoch_steps=3)
    assert len(passes) == 21 and short == passes
    assert states[-1]["learner"]["step"] == 21 and len(states[-1]["history"]) == 7
    assert sorted(sum(passes[:7], [])) == list(range(400))
    longer, states = order_of(data, runtime, monkeypatch, epochs=2, epoch_steps=10)
    assert longer == passes[:20]
    for step in (3, 7, 10, 13):  # ended there, at the end of a pass or an epoch, it goes on there
        rest, _ = order_of(
            data, runtime, monkeypatch, states[step - 1], epochs=2, epoch_steps=10
        )  # fmt: skip
        assert rest == passes[step:20]


def test_mle_learns_and_keeps_the_best_state(data, runtime):
    policy = small_generator(data)
    before = token_nll(policy, data.validation)
    work = pretrain(policy, data.train, data.validation, MLE, runtime)
    after = token_nll(policy, data.validation)
    assert after < before - 1.0
    assert after == pytest.approx(min(work.history), rel=1e-6) == work.best_nll
    lines = [line for line in runtime.run.read_log() if line["stage"] == "mle"]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[-1]["validation_nll"] == pytest.approx(work.history[-1])


def test_early_stopping_goes_back_and_fixed_epochs_do_not(data, runtime):
    wild = changed(MLE, learning_rate=0.5, epochs=20, patience=1, schedule="constant")
    policy = small_generator(data)
    work = pretrain(policy, data.train, data.validation, wild, runtime)
    assert work.epochs_done == work.best_epoch + 1 < 20
    assert token_nll(policy, data.validation) == pytest.approx(work.best_nll, rel=1e-6)
    fixed = changed(wild, early_stopping=False, epochs=4)
    other = small_generator(data)
    work = pretrain(other, data.train, data.validation, fixed, runtime)
    assert work.epochs_done == 4
    assert token_nll(other, data.validation) == pytest.approx(work.history[-1], rel=1e-6)


def test_the_same_seed_gives_the_same_weights(data, runtime):
    weights = []
    for _ in range(2):
        policy = small_generator(data)
        pretrain(policy, data.train, data.validation, changed(MLE, epochs=1), runtime)
        weights.append(policy.head.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])


def test_nan_in_a_loss_names_the_step_and_the_last_good_state(data, runtime):
    policy = small_generator(data)
    with torch.no_grad():
        policy.head.bias[5] = float("nan")
    message = "MLE pretraining: the loss or its gradient became nan between steps 1 and 13; last"
    with pytest.raises(NonFiniteLossError, match=message):
        pretrain(policy, data.train, data.validation, MLE, runtime)


# p = (.5, .3, .2) and q = (.2, .3, .5): KL(p || q) = .3 log 2.5
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])


def test_the_gain_of_the_exact_log_odds_is_the_kl_divergence():
    rng = np.random.default_rng(0)
    odds = np.log(P / Q)
    real, generated = odds[rng.choice(3, 200_000, p=P)], odds[rng.choice(3, 200_000, p=Q)]
    kl = 0.3 * math.log(2.5)
    assert gain(real, generated, 1.0) == pytest.approx(kl, abs=0.01)
    found = heldout_gain(real, generated, resamples=50)
    assert found.beta == pytest.approx(1.0, abs=0.05)
    assert found.calibrated == pytest.approx(kl, abs=0.01)
    assert found.low < found.calibrated < found.high


def test_calibration_finds_the_factor_of_overconfident_odds():
    rng = np.random.default_rng(0)
    odds = 4 * np.log(P / Q)
    real, generated = odds[rng.choice(3, 50_000, p=P)], odds[rng.choice(3, 50_000, p=Q)]
    found = heldout_gain(real, generated, resamples=50)
    assert found.beta == pytest.approx(0.25, abs=0.02)
    assert found.raw < found.calibrated


def test_odds_that_know_nothing_gain_nothing():
    rng = np.random.default_rng(0)
    noise = heldout_gain(rng.normal(size=5000), rng.normal(size=5000), resamples=50)
    assert abs(noise.calibrated) < 0.01
    upside_down = heldout_gain(rng.normal(-1, 1, 5000), rng.normal(1, 1, 5000), resamples=50)
    assert upside_down.beta == 0 and upside_down.calibrated == 0
    assert upside_down.cross_entropy == pytest.approx(math.log(2), abs=1e-6)
    nothing = heldout_gain(np.zeros(9), np.zeros(9), resamples=50)
    assert nothing.calibrated == 0 and nothing.effective == 4
    with pytest.raises(ValueError, match="4 real and 4 generated"):
        heldout_gain(np.zeros(3), np.zeros(9))


def normal_odds(kl: float, count: int, seed: int = 0):
    """Calibrated log-odds of `count` real and twice as many generated sequences: N(+-kl, 2 kl)."""
    rng, spread = np.random.default_rng(seed), math.sqrt(2 * kl)
    return rng.normal(kl, spread, count), rng.normal(-kl, spread, 2 * count)


@pytest.mark.parametrize(("kl", "most"), [(8.0, 11.0), (18.0, 21.0)])
def test_the_gain_of_a_discriminator_that_separates_well_is_no_multiple_of_what_there_is(kl, most):
    for seed in range(5):
        found = heldout_gain(*normal_odds(kl, 2000, seed), resamples=50)
        assert kl / 2 < found.calibrated < most and found.beta < 1.3
        assert found.effective < 30 and is_unreliable({"heldout_effective": found.effective})


def test_an_offset_of_the_log_odds_changes_nothing():
    real, generated = normal_odds(0.5, 2000)
    plain, moved = (heldout_gain(real + c, generated + c, resamples=50) for c in (0.0, 3.0))
    assert moved.calibrated == pytest.approx(plain.calibrated, abs=1e-4)
    assert moved.effective == pytest.approx(plain.effective, rel=1e-3) and plain.effective > 300


def test_log_odds_that_never_overlap_have_a_finite_factor():
    found = calibrate(np.array([5.0, 6.0, 7.0]), np.array([-5.0, -6.0, -7.0]))
    assert 0 < found.beta < 10 and 0 < found.cross_entropy < 0.3


@pytest.mark.parametrize(
    ("low", "high", "accuracy", "error", "known"),
    [
        (0.01, 0.05, 0.52, 0.01, "something"),
        (-0.01, 0.05, 0.52, 0.01, "nothing"),
        (-0.01, 0.11, 0.52, 0.01, "unknown"),  # it may be worth something
        (0.0, 0.0, 0.52, 0.1, "unknown"),  # the factor was 0 by chance: too few sequences
    ],
)
def test_what_is_known_of_a_discriminator(low, high, accuracy, error, known):
    measured = {"heldout_gain_low": low, "heldout_gain_high": high}
    measured |= {"heldout_accuracy": accuracy, "heldout_accuracy_error": error}
    assert knowledge(measured) == known


def test_a_hundred_held_out_sequences_see_two_nats():
    seen = [heldout_gain(*normal_odds(2.0, 100, k), resamples=100).low > 0 for k in range(40)]
    assert sum(seen) >= 36


def test_the_discriminator_tells_an_untrained_policy_apart(data, runtime):
    policy = small_generator(data)
    judge = small_discriminator(data)
    config = CriticConfig(
        steps=40, measure_every=20, batch_size=32, optimizer={"learning_rate": 0.01}
    )
    work = critic_of(judge, policy, data, config, runtime)
    pretrain_critic(work, runtime)
    fresh = generate(policy, 200, rng=torch.Generator().manual_seed(9))
    measured = work.measure(fresh, fresh, log=False)
    assert measured["heldout_accuracy"] > 0.9 and measured["heldout_gain"] > 1.0
    lines = [line for line in runtime.run.read_log() if line["stage"] == "discriminator"]
    assert [line["step"] for line in lines] == [20, 40]
    assert {"train_accuracy", "heldout_accuracy", "heldout_gain"} <= set(lines[0])


ROUNDS = run_settings(
    rounds=2, measure_every=1, batch_size=16, rollouts=2, critic_steps=1, patience=0,
    critic=CriticConfig(batch_size=8),
)  # fmt: skip


def adversarial(data, runtime, config, seed=0) -> Work:
    return work_of(small_generator(data, seed), small_discriminator(data), data, config, runtime)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": "clipped", "updates": 3},
        {"baseline": "moving_average", "rewards": {"form": "probability"}},
        {"rewards": ["discriminator:0.5", "random:2"]},
        {"rewards": {"form": "minimax"}},
        {"rewards": {"form": "non_saturating"}},
        {"critic": {"loss": "least_squares"}, "rewards": {"form": "least_squares"}},
        {"rewards": {"form": "relativistic"}},
        {"rewards": {"form": "relativistic_average"}},
        {"transform": "maligan", "baseline": "none"},
        {"transform": "rank"},
        {"group_size": 4, "baseline": "leave_one_out"},
        {"group_size": 4, "transform": "group_standardise", "baseline": "none", "rollouts": 0},
        {"kl_weight": 0.1, "entropy_weight": 0.1},
        {"rollouts": 0},
        {"rollout_update_rate": 0.8, "positions": 3, "stratified": False},
        {"rewards": "random", "transform": "standardise"},
    ],
    ids=str,
)
def test_every_composition_takes_a_step(data, runtime, change):
    work = adversarial(data, runtime, changed(ROUNDS, **change))
    policy = work.generator
    before = policy.head.weight.detach().clone()
    work.round()
    assert work.player.progress.number == 1
    assert not torch.equal(before, policy.head.weight)
    assert all(parameter.isfinite().all() for parameter in policy.parameters())


def test_a_constant_reward_teaches_nothing_with_a_baseline_and_sharpens_without(data, runtime):
    work = adversarial(data, runtime, changed(ROUNDS, rewards="constant"))
    policy = work.generator
    before = policy.head.weight.detach().clone()
    work.round()
    assert torch.equal(before, policy.head.weight)
    # Steps large enough for the drift: small ones are a random walk, up as often as down.
    bare = changed(ROUNDS, rewards="constant", baseline="none", learning_rate=0.1, batch_size=8)
    work = adversarial(data, runtime, bare)
    policy = work.generator
    with torch.no_grad():
        policy.head.bias.normal_(std=2.0, generator=torch.Generator().manual_seed(0))
    samples = generate(policy, 500, rng=torch.Generator().manual_seed(0))
    entropy = sequence_scores(policy, samples).entropy.sum() / samples.lengths.sum()
    for _ in range(15):
        work.player.step()
    after = generate(policy, 500, rng=torch.Generator().manual_seed(0))
    assert sequence_scores(policy, after).entropy.sum() / after.lengths.sum() < entropy - 0.5


def test_the_policy_gradient_raises_the_reward_it_is_given(data, runtime):
    config = changed(ROUNDS, learning_rate=1e-2, batch_size=64)
    work = adversarial(data, runtime, config)
    policy = work.generator
    wanted = data.spec.vocab_size - 3

    def count(sequences: Sequences) -> torch.Tensor:
        return ((sequences.tokens == wanted) & sequences.mask).sum(1).float()

    work.player.judge.reward = count
    before = count(generate(policy, 500, rng=torch.Generator().manual_seed(0))).mean()
    for _ in range(25):
        work.player.step()
    after = count(generate(policy, 500, rng=torch.Generator().manual_seed(0))).mean()
    assert after > before + 1.0


def test_fine_tuning_ends_with_the_best_state_and_stops_without_progress(data, runtime):
    scores = iter([3.0, 2.0, 2.5, 2.6, 2.7, 2.8])
    states = []

    def validate(model):
        states.append(model.head.weight.detach().clone())
        return {"score": next(scores)}

    work = adversarial(data, runtime, changed(ROUNDS, rounds=50, patience=3))
    rounds = work.play(validate)
    assert rounds.rounds_done == 4 and rounds.best_round == 1
    assert torch.equal(work.generator.head.weight, states[1])
    logged = [line["round"] for line in runtime.run.read_log() if line["stage"] == "validation"]
    assert logged == [0, 1, 2, 3, 4]


def test_the_learning_rate_is_cut_where_validation_stalls(data, runtime, monkeypatch):
    scripted = iter([3.0, 2.0, 2.5, 2.4, 1.9, 1.8])
    monkeypatch.setattr("seqgan.training.pretrain.token_nll", lambda *_: next(scripted))
    settings = changed(MLE, learning_rate=0.01, epochs=6, patience=6, factor=0.5)
    work = pretrain(small_generator(data), data.train, data.validation, settings, runtime)
    rates = [line["learning_rate"] for line in runtime.run.read_log() if line["stage"] == "mle"]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.0025, 0.0025])
    assert work.best_epoch == 6 and work.best_nll == 1.8


STALLED = [4.0, 3.0, 2.9, 2.95, 2.9, 2.8999]
"""The last value is better than the best by 3e-5 of it: no improvement."""


@pytest.mark.parametrize(
    ("history", "settings", "expected"),
    [
        (STALLED, {"patience": 3}, ("converged", 6, 6, 2.8999)),
        (STALLED[:5], {"patience": 3}, ("still improving", 5, 3, 2.9)),
        ([4.0, 3.0, 2.9], {"patience": 3}, ("still improving", 3, 3, 2.9)),
        # a fixed number of epochs keeps the last state, which may be worse than one before
        ([4.0, 3.0, 3.0, 3.0029], {"patience": 2, "early_stopping": False},
         ("converged", 4, 2, 3.0029)),
        ([4.0, 3.0, 3.0, 3.004], {"patience": 2, "early_stopping": False},
         ("past its best", 4, 2, 3.004)),
        ([4.0, 3.0], {"patience": 2, "early_stopping": False}, ("still improving", 2, 2, 3.0)),
        ([], {}, ("unknown", 0, 0, None)),
    ],
)  # fmt: skip
def test_whether_pretraining_converged_follows_from_its_history(history, settings, expected):
    assert convergence(history, PretrainConfig(**settings)) == Convergence(*expected)


def test_training_stops_where_it_improves_by_nothing_that_counts(data, runtime, monkeypatch):
    scripted = iter([3.0, 2.0, *(2.0 - 1e-5 * i for i in range(1, 10))])
    monkeypatch.setattr("seqgan.training.pretrain.token_nll", lambda *_: next(scripted))
    settings = changed(MLE, learning_rate=0.01, epochs=11, patience=3)
    work = pretrain(small_generator(data), data.train, data.validation, settings, runtime)
    assert work.epochs_done == work.best_epoch == 5
    assert convergence(work.history, settings).state == "converged"


def test_the_gradient_is_clipped(data, runtime):
    tiny = changed(MLE, epochs=1, clip_norm=1e-12, weight_decay=0.0, learning_rate=0.01)
    policy = small_generator(data)
    before = policy.head.bias.detach().clone()
    pretrain(policy, data.train, data.validation, tiny, runtime)
    # Adam divides by the gradient's size, but beside its epsilon of 1e-8 such a gradient is nothing
    assert (policy.head.bias - before).abs().max() < 1e-4


def test_held_out_figures_come_from_held_out_data(data, runtime):
    judge, policy = small_discriminator(data).eval(), small_generator(data)
    work = critic_of(judge, policy, data, CriticConfig(batch_size=8), runtime)
    old = generate(policy, 100, rng=torch.Generator().manual_seed(1))
    new = generate(policy, 200, rng=torch.Generator().manual_seed(2))
    with torch.no_grad():
        judge.output.bias.sub_(judge(data.heldout).median())
        held, fresh = judge(data.heldout), judge(new)
        rows = torch.randperm(len(data.train), generator=runtime.rng("discriminator", "watched"))[
            :100
        ]
        real, seen = judge(data.train.select(rows)), judge(old)
    measured = work.measure(old, new, log=False)
    half = [float((held > 0).float().mean() + (fresh <= 0).float().mean()) / 2]
    half.append(float((real > 0).float().mean() + (seen <= 0).float().mean()) / 2)
    assert [measured["heldout_accuracy"], measured["train_accuracy"]] == pytest.approx(half)
    expected = heldout_gain(held.numpy(), fresh.numpy())
    assert measured["heldout_gain"] == pytest.approx(expected.calibrated, abs=1e-6)


def test_discriminator_pretraining_stops_and_goes_back_to_its_best_state(
    data, runtime, monkeypatch
):
    losses = iter([0.6, 0.4, 0.5, 0.6, 0.7, 0.1, 0.1])
    big = iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    states = []

    def measure(self, negatives, fresh, *, log=True):
        states.append(self.trained.output.weight.detach().clone())
        names = ("heldout_accuracy", "heldout_gain", "heldout_gain_low", "heldout_gain_high")
        names += ("heldout_accuracy_error", "heldout_effective")
        # the gain itself, which few samples may dominate, has no say
        return {**dict.fromkeys(names, next(big)), "heldout_cross_entropy": next(losses)}

    monkeypatch.setattr(Critic, "measure", measure)
    judge = small_discriminator(data)
    config = CriticConfig(steps=50, measure_every=5, patience=3, batch_size=8)
    work = critic_of(judge, small_generator(data), data, config, runtime)
    pretrain_critic(work, runtime)
    assert work.learner.step == 25  # best at 10, then three measurements without progress
    assert torch.equal(judge.output.weight, states[1])


def test_the_samples_to_train_against_are_bounded(data, runtime, monkeypatch):
    monkeypatch.setattr(critic, "MOST_SAMPLES", 150)
    for negatives, expected in ((0, 150), (170, 170)):
        config = CriticConfig(negatives=negatives)
        judge, policy = small_discriminator(data), small_generator(data)
        work = CriticPretraining(critic_of(judge, policy, data, config, runtime))
        assert len(work.negatives) == expected


def test_a_rate_that_was_halved_in_the_first_round_stays_so(data, runtime, monkeypatch):
    config = CriticConfig(batch_size=4, rounds_learning_rate=0.01)
    critic = critic_of(small_discriminator(data), small_generator(data), data, config, runtime)

    def explodes(*_):
        raise NonFiniteLossError("nan")

    with monkeypatch.context() as patch:
        patch.setattr(critic, "train_until", explodes)
        with pytest.raises(NonFiniteLossError):
            critic.steps(1)
    critic.soften()
    critic.steps(1)
    assert critic.learner.rate == 0.005


class Slow:
    """A critic whose held-out cross-entropy falls late.

    By what was seen of a bidirectional LSTM on the caption grammar: nothing until step 1,200, then
    a gain that is still rising at 2,400. Before that it memorises, and the cross-entropy rises.
    """

    def __init__(self):
        self.config, self.heldout, self.count = CriticConfig(), [0] * 10, 10
        self.runtime = Runtime(make_accelerator("cpu"), seed=0)
        self.learner = SimpleNamespace(step=0, averaged=nullcontext, measured=lambda *_: None)
        self.trained = torch.nn.Linear(1, 1)

    def draw(self, *_):
        return None

    def draw_negatives(self, *_):
        return None

    def train_until(self, step, negatives):
        self.learner.step = step

    def settle(self):
        return None

    def measure(self, *_):
        step = self.learner.step
        late = {1400: 0.002, 1600: 0.016, 2000: 0.03, 2400: 0.04, 3000: 0.05}
        gained = max([0.0, *(gain for at, gain in late.items() if at <= step)])
        return {"heldout_cross_entropy": math.log(2) + 1e-6 * min(step, 1200) - gained / 2}


def test_the_defaults_of_the_discriminator_wait_until_it_has_learnt():
    """Patience of 4 times 100 steps, an earlier default, ended it at 500, before anything."""
    work, early = CriticPretraining(Slow()), CriticPretraining(Slow())
    early.config.patience, early.config.measure_every = 4, 100
    for each in (work, early):
        while not each.finished:
            each.stretch()
    assert (work.best_step, work.measured_step) == (3000, 4000)
    assert early.measured_step == 500
