"""The settings that the methods brought with them, each seen from outside."""

from __future__ import annotations

import pytest
import torch

from seqgan.config import CNN, CriticConfig, GrammarCorpus, RunConfig
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError
from seqgan.models import make_discriminator, make_generator
from seqgan.training.critic import Critic
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.runtime import Runtime, make_accelerator

from ...small import ids
from ..rounds import work_of
from ..settings import changed, run_settings
from .fine_tuning import settings, tuned


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=40, num_validation=8, num_heldout=10, num_test=4)
    return load_data("grammar", corpus, seed=0)


def networks(data):
    plain = settings("seqgan")
    return (
        make_generator(plain.generator, data.spec, 0),
        make_discriminator(plain.discriminator, data.spec, 0),
    )


def critic(data, **values) -> Critic:
    policy, judge = networks(data)
    config = CriticConfig(batch_size=4, **values)
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    return Critic(judge, policy, data.train, data.heldout, config, runtime)


def test_negatives_are_drawn_anew(data, monkeypatch):
    player, seen = critic(data, steps=10, measure_every=10, fresh_every=4, negatives=12), []
    original = player.train_until

    def spy(step, negatives):
        seen.append((step, negatives))
        return original(step, negatives)

    monkeypatch.setattr(player, "train_until", spy)
    work = CriticPretraining(player)
    work.stretch()
    assert [step for step, _ in seen] == [4, 8, 10]
    assert len({tuple(each.tokens.flatten().tolist()) for _, each in seen}) == 3
    seen.clear()
    player.steps(6)  # 4 steps of 4 need 16 sequences, of which a set has 12; 2 need 8
    assert [(step, len(each)) for step, each in seen] == [(14, 12), (16, 8)]


def test_the_memory_keeps_the_samples_of_earlier_rounds(data, monkeypatch):
    player, seen = critic(data, memory=2), []
    monkeypatch.setattr(player, "train_until", lambda step, each: seen.append(len(each)))
    for _ in range(4):
        player.steps(2)
    assert seen == [8, 16, 24, 24] and len(player.memory) == 2
    other = critic(data, memory=2)
    other.load_state_dict(player.state_dict())
    assert torch.equal(other.memory[1].tokens, player.memory[1].tokens)


def test_the_penalty_on_the_output_layer_is_that_of_two_columns():
    judge = make_discriminator(CNN(embedding=2, widths=[1], filters=[2], output_l2=0.2), ids(5), 0)
    with torch.no_grad():
        judge.output.weight.copy_(torch.tensor([[2.0, -4.0]]))
        judge.output.bias.fill_(6.0)
    # columns (1, -2) and (-1, 2), biases 3 and -3: half the squares are 5 and 9
    assert judge.own_penalty().item() == pytest.approx(0.2 * (5 + 9))
    free = make_discriminator(CNN(embedding=2, widths=[1], filters=[2]), ids(5), 0)
    assert free.own_penalty() is None


def test_rounds_from_scratch_begin_elsewhere(data):
    config = settings("scratchgan")
    begun = tuned(config, data)[0]
    same = tuned(settings("scratchgan", adversarial={"start": "mle"}), data)[0]
    for name, value in begun.reference.named_parameters():
        assert torch.equal(value, dict(same.reference.named_parameters())[name])
    distances = [
        (work.generator.head.weight - work.reference.head.weight).abs().max().item()
        for work in (begun, same)
    ]
    assert distances[0] > 10 * distances[1]  # one was drawn anew, the other took two small steps


def test_beginnings_are_trained_by_mle_and_get_shorter(data):
    plain = run_settings(
        batch_size=8, rollouts=0, transform="maligan", baseline="none", group_size=4,
        real_prefix=2, real_prefix_steps=1, rounds=2,
    )  # fmt: skip
    policy, judge = networks(data)
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    player = work_of(policy, judge, data, changed(plain), runtime).player
    for given in (2, 1, 0):
        batch, _ = player._batch()
        known = {tuple(row[:given]) for row in data.train.to_lists()}
        rows = batch.whole.tokens
        assert {tuple(row[:given].tolist()) for row in rows} <= known
        assert (batch.advantage[:, :given] == 1).all()
        assert torch.equal(batch.chosen, batch.whole.mask)
        groups = rows[:, :given].reshape(2, 4, -1)
        assert (groups == groups[:, :1]).all()  # four samples for each beginning
        player.progress.number += 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"critic": {"loss": "ranking"}}, "a ranking is both or neither"),
        ({"method": "rankgan", "discriminator": {"architecture": "mlp"}}, "choose cnn"),
        ({"algorithm": {"temperature": 0.5}}, "--algorithm.importance_cap 2"),
        ({"algorithm": {"discount": 0.5}}, "--algorithm.rollouts 0"),
        ({"algorithm": {"loss": "whole_sequence"}}, "needs one value per sequence"),
        ({"method": "catgan", "algorithm": {"losses": []}}, "--algorithm.losses: give one"),
        ({"method": "catgan", "rewards": ["length"]}, "takes the gradient of the discriminator"),
        ({"adversarial": {"start": "nowhere"}}, "'nowhere' is none of mle, scratch"),
    ],
)
def test_what_does_not_go_together_is_one_clear_line(given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        RunConfig(**given)
    assert "\n" not in str(caught.value)


def test_a_generator_refuses_a_discriminator_that_it_cannot_see():
    known = RunConfig(method="leakgan")
    known.generator.check_judge(known.discriminator)
    for given, message in (
        ({"generator": {"leaked": 7}}, "--generator.leaked 7 is not the discriminator's 32"),
        ({"discriminator": {"architecture": "mlp"}}, "which must be cnn"),
        ({"discriminator": {"spectral_norm": True}}, "without spectral_norm"),
    ):
        other = RunConfig(method="leakgan", **given)
        with pytest.raises(ConfigError, match=message):
            other.generator.check_judge(other.discriminator)
