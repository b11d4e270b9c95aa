"""Every setting of the adversarial rounds changes what it names, seen from outside."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences, generate
from seqgan.config import LSTM, BiLSTM, CriticConfig, GrammarCorpus
from seqgan.data.sources import load_data
from seqgan.models import make_discriminator, make_generator
from seqgan.training import policy_gradient as module
from seqgan.training.policy_gradient import policy_loss
from seqgan.training.runtime import Runtime, make_accelerator

from ..rounds import Work, work_of
from ..settings import changed, run_settings

BASE = run_settings(rounds=2, measure_every=1, batch_size=8, rollouts=2, critic_steps=1, patience=0)


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=20, num_heldout=20, num_test=20)
    return load_data("grammar", corpus, seed=1)


def training(data, **changes) -> Work:
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    generator = make_generator(LSTM(embedding=8, hidden=12, dropout=0.5), data.spec, 0)
    discriminator = make_discriminator(BiLSTM(embedding=6, hidden=6), data.spec, 0)
    settings = changed(BASE, **{"critic": CriticConfig(batch_size=4), **changes})
    return work_of(generator, discriminator, data, settings, runtime)


def spied(monkeypatch, name: str) -> list[tuple[tuple, dict]]:
    """All calls of a function of the module from now on."""
    calls = []
    original = getattr(module, name)

    def spy(*args, **kwargs):
        calls.append((args, kwargs))
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, spy)
    return calls


def test_the_lag_decides_which_policy_runs_the_rollouts(data, monkeypatch):
    calls = spied(monkeypatch, "action_values")
    work = training(data)
    work.player.step()
    assert calls[-1][0][0] is work.generator
    lagging = training(data, rollout_update_rate=0.8, learning_rate=0.5)
    start = lagging.generator.head.weight.detach().clone()
    lagging.round()
    assert calls[-1][0][0] is lagging.player.lagged.policy
    now = lagging.generator.head.weight.detach()
    assert torch.allclose(
        lagging.player.lagged.policy.head.weight, 0.8 * start + 0.2 * now, atol=1e-6
    )
    lagging.round()
    current = training(data, rollout_update_rate=0.0, learning_rate=0.5)
    current.round()
    current.round()
    # the same random numbers, other rollouts: the second updates differ
    assert not torch.equal(current.generator.head.weight, lagging.generator.head.weight)


def test_rollouts_positions_and_strata_reach_the_estimate(data, monkeypatch):
    calls = spied(monkeypatch, "action_values")
    training(data, rollouts=3, positions=2, stratified=False).player.step()
    args, kwargs = calls[-1]
    assert args[3] == 3 and list(kwargs["positions"])[:3] == [0, 2, 4]
    assert kwargs["stratified"] is False
    training(data, rollouts=0).player.step()
    assert list(calls[-1][1]["positions"]) == []


@pytest.mark.parametrize("form", ["probability", "log_odds"])
def test_the_form_of_the_reward(data, form):
    work = training(data, rewards={"form": form})
    values = work.player.judge.reward(data.test)
    logits = work.critic.trained.eval()(data.test)
    expected = logits.sigmoid() if form == "probability" else logits
    assert torch.allclose(values, expected)


def test_the_precision_of_the_scores(data):
    exact, half = (
        training(data, rewards={"precision": precision}).player.judge.reward
        for precision in ("fp32", "bf16")
    )
    assert (exact.precision, half.precision) == ("fp32", "bf16")


def loss_of(work: Work, shift: float) -> torch.Tensor:
    """The loss of a batch whose policy has moved by `shift` since it was sampled."""
    batch, _ = work.player._batch()
    with torch.no_grad():
        work.generator.head.bias[5] += shift
    return policy_loss(work.generator(batch.mine), batch, work.settings.algorithm)


def test_the_anchor_pulls_back_to_the_pretrained_policy(data):
    free, held = (loss_of(training(data, kl_weight=w), 2.0) for w in (0.0, 10.0))
    work = training(data, kl_weight=10.0)
    batch, _ = work.player._batch()
    with torch.no_grad():
        work.generator.head.bias[5] += 2.0
    scores, mask = work.generator(batch.mine), batch.mine.mask
    r = torch.where(mask, batch.reference.log_prob - scores.log_prob, 0.0)
    assert (held - free).item() == pytest.approx((10 * 0.5 * r**2).sum().item() / 8, rel=1e-4)


def test_the_entropy_bonus_is_the_mean_entropy_a_token(data):
    without, with_bonus = (loss_of(training(data, entropy_weight=w), 0.0) for w in (0.0, 2.0))
    work = training(data)
    batch, _ = work.player._batch()
    entropy = work.generator(batch.mine).entropy[batch.mine.mask].mean()
    assert (with_bonus - without).item() == pytest.approx(-2 * entropy.item(), rel=1e-4)


def test_the_clip_holds_the_ratio(data):
    narrow, wide = (loss_of(training(data, loss="clipped", clip=c), 3.0) for c in (0.05, 10.0))
    assert narrow.item() != pytest.approx(wide.item(), rel=1e-3)


def test_the_policy_is_updated_without_dropout(data):
    work = training(data)
    modes = []
    work.generator.register_forward_hook(lambda m, *_: modes.append(m.training))
    work.generator.train()
    work.player.step()
    assert modes and not any(modes)


def test_each_round_trains_the_discriminator_on_fresh_samples(data, monkeypatch):
    seen: list[Sequences] = []
    config = CriticConfig(batch_size=4, rounds_learning_rate=0.01)
    work = training(data, critic_steps=2, critic=config)
    original = work.critic.train_until

    def spy(step, negatives):
        assert step == work.critic.learner.step + 2
        assert work.critic.learner.rate == 0.01
        seen.append(negatives)
        return original(step, negatives)

    monkeypatch.setattr(work.critic, "train_until", spy)
    before = work.critic.trained.output.weight.detach().clone()
    work.round()
    assert not torch.equal(before, work.critic.trained.output.weight)
    work.round()
    assert len(seen) == 2 and not torch.equal(seen[0].tokens, seen[1].tokens)
    again = generate(work.generator, 8, rng=work.runtime.rng("fresh", 2))
    assert torch.equal(seen[1].tokens, again.tokens)  # of the policy as it is now


def test_a_reward_without_a_discriminator_has_no_critic(data):
    work = training(data, rewards="constant")
    work.round()
    assert work.critic is None


def test_both_models_go_back_to_the_best_round(data):
    work = training(data)
    scores = iter([1.0, 2.0])
    work.rounds.measure(lambda policy: {"score": next(scores)})
    models = (work.generator, work.critic.trained)
    states = [{k: v.clone() for k, v in model.state_dict().items()} for model in models]
    work.round()
    work.rounds.measure(lambda policy: {"score": next(scores)})
    work.rounds.restore_best()
    for model, state in zip(models, states, strict=True):
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_without_early_stopping_all_rounds_are_done_and_the_last_state_is_kept(data):
    ends = {}
    for early in (True, False):
        work = training(data, rounds=3, patience=1, early_stopping=early, learning_rate=0.1)
        before = work.generator.head.weight.detach().clone()
        scores = iter([1.0, 2.0, 3.0, 4.0])  # worse every round
        done = work.play(lambda policy, scores=scores: {"score": next(scores)})
        ends[early] = (done.rounds_done, torch.equal(before, work.generator.head.weight))
    assert ends == {True: (1, True), False: (3, False)}
