"""Adversarial training that goes wrong is noticed, said once, and acted on as the setting says."""

from __future__ import annotations

import pytest
import torch

from seqgan.training import health
from seqgan.training.health import Health, troubles

from .test_faults import data, learning_rate, rounds, tuned  # noqa: F401  (data is a fixture)

GOOD = {
    "entropy": 2.0, "unique": 0.9, "self_bleu_4": 0.5, "kl": 0.1, "train_accuracy": 0.75,
    "heldout_accuracy": 0.7, "heldout_gain": 0.5, "heldout_gain_low": 0.4, "heldout_gain_high": 0.6,
    "heldout_accuracy_error": 0.0, "heldout_effective": 100.0,
}  # fmt: skip

NOTHING = {"heldout_gain_low": -0.01, "heldout_gain_high": 0.05, "heldout_accuracy": 0.52,
           "train_accuracy": 0.55}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"entropy": 1.01}, None),  # half of 2 is the limit
        ({"entropy": 0.99}, "collapse"),
        ({"unique": 0.71}, None),  # 0.2 below 0.9 is the limit
        ({"unique": 0.69}, "collapse"),
        ({"self_bleu_4": 0.59}, None),  # 0.1 above the measurement before is the limit
        ({"self_bleu_4": 0.61}, "collapse"),
        ({"kl": 0.99}, None),  # half of the pretrained entropy is the limit
        ({"kl": 1.01}, "drift"),
        ({"heldout_accuracy": 0.99}, "wins"),
        ({"heldout_gain_low": -0.01}, None),  # it may gain as much as 0.6 nats
        (NOTHING, "loses"),
        (NOTHING | {"heldout_accuracy_error": 0.1}, None),  # too few sequences to see
        (NOTHING | {"train_accuracy": 0.61}, "loses"),
        (NOTHING | {"train_accuracy": 0.63}, "memorises"),
        ({"heldout_gain_low": -0.01, "train_accuracy": 0.81}, "memorises"),
        ({"train_accuracy": 0.95}, None),  # it gains on held-out data all the same
    ],
)
def test_the_limits(change, kind):
    found = troubles(GOOD, GOOD, GOOD | change)
    assert list(found) == ([] if kind is None else [kind])


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"entropy": 0.7}, "entropy"),
        ({"unique": 0.6}, "unique"),
        ({"self_bleu_4": 0.8}, "self_bleu_4"),
        ({"kl": 1.3}, "kl"),
        ({"heldout_accuracy": 0.999}, "heldout_accuracy"),
        (NOTHING | {"train_accuracy": 0.7}, "train_accuracy"),
    ],
)
def test_an_alarm_needs_an_interval_that_excludes_chance(change, name):
    assert troubles(GOOD, GOOD, GOOD | change | {f"{name}_error": 0.005})
    found = troubles(GOOD, GOOD, GOOD | change | {f"{name}_error": 0.2})
    assert not set(found) - {"loses"}


def test_a_slow_rise_of_self_bleu_is_noticed_too():
    before = GOOD | {"self_bleu_4": 0.65}
    assert not troubles(GOOD, before, GOOD | {"self_bleu_4": 0.69})
    assert list(troubles(GOOD, before, GOOD | {"self_bleu_4": 0.71})) == ["collapse"]


def test_warnings_carry_the_figures():
    now = GOOD | {"entropy": 0.4, "unique": 0.55, "self_bleu_4": 0.81, "kl": 1.3}
    now |= {"heldout_accuracy": 0.55, "heldout_gain": 0.01, "heldout_gain_low": -0.02}
    found = troubles(GOOD, GOOD, now)
    assert (
        "entropy 0.40 nats per token (pretrained: 2.00), unique samples 55% (90%)"
        in (found["collapse"])
    )
    assert "self-BLEU-4 0.81 (0.50)" in found["collapse"]
    assert "KL divergence 1.30 nats per token, its entropy was 2.00" in found["drift"]
    assert "accuracy 0.750 in training, 0.550 held out" in found["memorises"]
    assert "held-out gain 0.010 [-0.020, 0.600] nats per sequence" in found["memorises"]


def test_the_figures_are_of_the_samples(data):  # noqa: F811
    work = rounds(data)
    lookout = work.rounds.health
    lookout.look(work.generator, 0)
    assert lookout.first["kl"] == 0 and lookout.first["unique"] > 0.9
    assert 0 < lookout.first["entropy_error"] < 0.1 * lookout.first["entropy"]
    assert 0 <= lookout.first["heldout_accuracy"] <= 1
    with torch.no_grad():  # always the same token: that is collapse, and far away
        work.generator.head.weight.zero_()
        work.generator.head.bias.fill_(-50.0)
        work.generator.head.bias[7] = 50.0
    found = lookout.look(work.generator, 1)
    assert set(found) >= {"collapse", "drift"}
    now = lookout.before
    assert now["entropy"] == pytest.approx(0, abs=1e-6) and now["unique"] == pytest.approx(1 / 1000)
    assert now["self_bleu_4"] == 1
    # of a deterministic policy the divergence is the pretrained model's NLL of what it says
    assert now["kl"] > 0.5 * lookout.first["entropy"]
    assert [each["round"] for each in lookout.seen if each["kind"] == "collapse"] == [1]
    lookout.look(work.generator, 2)
    assert len([each for each in lookout.seen if each["kind"] == "collapse"]) == 1


def test_it_comes_back_from_a_checkpoint_as_it_was(data):  # noqa: F811
    work = rounds(data)
    lookout, again = work.rounds.health, rounds(data).rounds.health
    lookout.look(work.generator, 0)
    again.load_state_dict(lookout.state_dict())
    assert (again.first, again.before, again.seen) == (
        lookout.first, lookout.before, lookout.seen,
    )  # fmt: skip


def test_controls_have_no_discriminator_to_look_at(data):  # noqa: F811
    work = rounds(data, rewards="constant")
    work.rounds.measure(lambda policy: {"score": 1.0})
    lookout = work.rounds.health
    assert lookout.critic is None and "heldout_gain" not in lookout.first


@pytest.mark.parametrize(
    ("setting", "done", "restored", "rate"),
    [("warn", 4, 0, 1.0), ("stop", 2, 0, 1.0), ("restore", 4, 2, 0.25)],
)
def test_what_follows(data, monkeypatch, setting, done, restored, rate):  # noqa: F811
    """Collapse from the second round on; the first is the best, and the third better still."""
    scores, states = [5.0, 3.0, 4.0, 2.0, 6.0], []

    def scripted(first, before, now):
        states.append(now["entropy"])
        return {"collapse": "mode collapse"} if len(states) > 2 else {}

    monkeypatch.setattr(health, "troubles", scripted)
    before = {"stop": 1, "warn": 3, "restore": 3}
    work = tuned(data, scores, on_trouble=setting, learning_rate=0.01)
    assert work.rounds_done == done and work.best_round == before[setting]
    # Round 2 and 4 are worse than the best; round 3 is the best, from where there is no going back
    assert work.times_restored == restored and work.stopped == (setting == "stop")
    assert learning_rate(work) == pytest.approx(0.01 * rate)
    assert [each["round"] for each in work.summary()["troubles"]] == [2]


def test_going_back_restores_both_models(data, monkeypatch):  # noqa: F811
    work = rounds(data, on_trouble="restore", rollout_update_rate=0.8)
    scores = iter([1.0, 2.0])
    found = iter([{}, {"drift": "the policy runs away"}])
    monkeypatch.setattr(health, "troubles", lambda *_: next(found))
    work.rounds.measure(lambda policy: {"score": next(scores)})
    start = [
        {k: v.clone() for k, v in model.state_dict().items()}
        for model in (work.generator, work.critic.trained)
    ]
    work.round()
    assert work.critic.learner.optimizer.state
    work.rounds.measure(lambda policy: {"score": next(scores)})
    models = (work.generator, work.critic.trained, work.player.lagged.policy)
    for model, state in zip(models, [*start, start[0]], strict=True):
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    learners = (work.player.learner, work.critic.learner)
    assert not any(learner.optimizer.state for learner in learners)
    work.round()  # and it goes on from there


def test_fifteen_samples_raise_no_alarm(data, monkeypatch):  # noqa: F811
    """One policy, looked at again and again: its self-BLEU jumps by more than 0.1."""
    monkeypatch.setattr(health, "SAMPLES", 15)
    work = rounds(data)
    work.critic.heldout = work.critic.heldout.select(slice(0, 15))
    policy = data.density.tempered(0.6)
    lookout, jumps = Health(policy, work.critic, data.prompts(), work.runtime), []
    for number in range(20):
        before = lookout.before.get("self_bleu_4", 1.0)
        found = lookout.look(policy, number)
        jumps.append(lookout.before["self_bleu_4"] - before)
        # An untrained discriminator has nothing to teach, so "loses" may be right.
        assert not {"collapse", "drift", "wins"} & set(found)
    assert max(jumps) > 0.1
