"""The settings that the methods brought with them, each seen from outside."""

from __future__ import annotations

import pytest
import torch

from rollout import NucleusMixture, Sequences, generate
from seqgan.config import CNN, CriticConfig, GrammarCorpus, RunConfig
from seqgan.data.prompts import Beginnings, Grouped, NoPrompts
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError
from seqgan.models import make_discriminator, make_generator
from seqgan.training.critic import Critic
from seqgan.training.critic_pretraining import CriticPretraining
from seqgan.training.health import Health
from seqgan.training.mediator import Mediation
from seqgan.training.runtime import Runtime, make_accelerator

from ...small import ids
from ..rounds import work_of
from ..settings import changed, run_settings
from .fine_tuning import settings, tuned

CLASSES = {"architecture": "cnn", "label_classes": True}


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


@pytest.mark.parametrize("given", [{"nucleus": 0.9}, {"nucleus": 1.0}])
def test_the_discriminator_is_trained_against_what_its_reward_judges(given, data):
    config = settings("coldgan", algorithm=given)
    work, _ = tuned(config, data)
    critic, rng = work.critic, [torch.Generator().manual_seed(0) for _ in range(3)]
    cold = work.player.sampling()
    kind = NucleusMixture if given["nucleus"] < 1 else type(work.generator)
    assert isinstance(cold, kind) and cold is not work.generator
    negatives, samples = critic.draw_negatives(9, rng[0]), critic.draw(9, rng[1], critic.train)
    expected = generate(cold, 9, rng=rng[2])
    assert negatives.to_lists() == expected.to_lists() != samples.to_lists()
    plain, _ = tuned(settings("coldgan", algorithm={"temperature": 1.0, "nucleus": 1.0}), data)
    assert plain.player.sampling() is None


def test_a_memory_is_whole_wherever_a_run_was_ended(data, monkeypatch):
    whole = critic(data, memory=2)
    whole.steps(2)
    for end in (1, 2):
        begun, left = critic(data, memory=2), iter(range(1, end + 1))

        def pause(left=left, end=end) -> None:
            if next(left) == end:
                raise KeyboardInterrupt

        monkeypatch.setattr(begun.runtime, "pause", pause)
        with pytest.raises(KeyboardInterrupt):
            begun.steps(2)
        other = critic(data, memory=2)
        other.load_state_dict(begun.state_dict())
        other.trained.load_state_dict(begun.trained.state_dict())
        other.steps(2)
        assert len(other.memory) == 1 and other.learner.step == 2, end
        assert torch.equal(other.memory[0].tokens, whole.memory[0].tokens)


@pytest.mark.parametrize("warm", [0, 4])
def test_the_rate_of_the_rounds_is_what_a_warm_up_ends_with(data, warm):
    player = critic(data, rounds_learning_rate=0.008, optimizer={"warmup_steps": warm})
    other = Mediation(
        networks(data)[0], networks(data)[0], data.train, player.config, player.runtime
    )
    for each in (player, other):
        rates = []
        for _ in range(5):
            each.steps(1)
            rates.append(each.learner.rate)
        expected = [0.004, 0.006, 0.008, 0.008, 0.008] if warm else [0.008] * 5
        assert rates == pytest.approx(expected)


def test_the_penalty_on_the_output_layer_is_part_of_a_ranking(data):
    kind = {"embedding": 2, "widths": [1], "filters": [2]}
    losses = []
    for share in (0.0, 0.2):
        judge = make_discriminator(CNN(**kind, output_l2=share), data.spec, 0).eval()
        config = CriticConfig(batch_size=4, loss="ranking")
        runtime = Runtime(make_accelerator("cpu"), seed=3)
        player = Critic(judge, networks(data)[0], data.train, data.heldout, config, runtime)
        losses.append(player.pair_loss.by_features(data.train.select(slice(0, 8))).item())
    assert losses[1] - losses[0] == pytest.approx(judge.own_penalty().item(), rel=1e-3)


def test_samples_without_a_question_are_one_group():
    rng = torch.Generator()
    assert Grouped(NoPrompts(), 4).draw(8, rng).groups is None
    real = Sequences.from_lists([[1, 2, 3], [3, 1, 2]], pad_id=0)
    assert Grouped(Beginnings(real, 1), 4).draw(8, rng).groups.tolist() == [0] * 4 + [1] * 4


def test_from_scratch_the_pretrained_policy_is_what_health_compares_with(data, monkeypatch):
    monkeypatch.setattr("seqgan.training.health.SAMPLES", 50)
    policy, judge = networks(data)
    runtime = Runtime(make_accelerator("cpu"), seed=3)
    fresh = make_generator(settings("seqgan").generator, data.spec, 1)
    with torch.no_grad():  # far from the other: it says one thing
        fresh.head.bias[data.spec.vocab_size - 1] = 50.0
    for scratch in (True, False):
        lookout = Health(policy, None, data.prompts(), runtime, scratch=scratch)
        found = [lookout.look(fresh, number) for number in (0, 1)]
        kinds = {"collapse"} if scratch else {"drift"}
        assert {*found[1]} == kinds


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
        assert (batch.reward_advantage[:, :given] == 1).all()
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
        (
            {"method": "maligan", "algorithm": {"importance_cap": 2.0, "updates": 2}},
            "set --algorithm.real_prefix 0, or --algorithm.loss reinforce --algorithm.importance_c",
        ),
        ({"algorithm": {"discount": 0.5}}, "--algorithm.rollouts 0"),
        ({"algorithm": {"loss": "whole_sequence"}}, "needs one value per sequence"),
        ({"method": "catgan", "algorithm": {"losses": []}}, "--algorithm.losses: give one"),
        ({"method": "catgan", "rewards": ["length"]}, "takes the gradient of the discriminator"),
        ({"method": "cot", "rewards": ["mediator", "discriminator"]}, "leave one out"),
        (
            {"method": "organ", "critic": {"loss": "wasserstein"}},
            "probability takes the logits for",
        ),
        ({"rewards": [{"form": "least_squares"}]}, "or --critic.loss least_squares"),
        ({"adversarial": {"mle_epochs": 2}}, "lstm reads no features .* set it to 0"),
        ({"adversarial": {"start": "nowhere"}}, "'nowhere' is none of mle, scratch"),
        (
            {"method": "sentigan", "critic": {"loss": "hinge"}, "rewards": ["discriminator"]},
            "cross-entropy of the classes, and not --critic.loss hinge; set --critic.loss minimax",
        ),
        (
            {"method": "sentigan", "critic": {"gradient_penalty": 1.0}},
            "no gradient penalty is added; set --critic.gradient_penalty 0",
        ),
        (
            {"method": "sentigan", "critic": {"label_smoothing": 0.1}},
            "set --critic.label_smoothing 0",
        ),
        (
            {"discriminator": CLASSES, "algorithm": {"name": "relaxed", "estimator": "soft"}},
            "set --algorithm.estimator straight_through",
        ),
        (
            {"discriminator": {**CLASSES, "loss_of_each": True, "representations": 2}},
            "set --discriminator.loss_of_each false",
        ),
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
