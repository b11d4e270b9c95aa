"""Pairs of a real and a generated sequence that answer the same question."""

from __future__ import annotations

import pytest
import torch

from rollout import ConstantReward, Sequences
from rollout.modules import own_copy
from seqgan.config import LSTM, BiLSTM, CriticConfig, Relaxed
from seqgan.config.drawn_corpus import StylesCorpus, TranslationCorpus
from seqgan.data.sources import load_data
from seqgan.models import make_discriminator, make_generator
from seqgan.training.alike import Alike
from seqgan.training.critic import Critic
from seqgan.training.players import Materials
from seqgan.training.relaxed import RelaxedUpdates
from seqgan.training.runtime import Runtime, make_accelerator

SIZES = {"num_train": 40, "num_validation": 6, "num_heldout": 8, "num_test": 4}
DATA = {
    "styles": load_data("styles", StylesCorpus(**SIZES), seed=1),
    "translation": load_data("translation", TranslationCorpus(**SIZES), seed=1),
}
of_each = pytest.mark.parametrize("name", DATA)


def models(name: str):
    data = DATA[name]
    policy = make_generator(LSTM(embedding=6, hidden=8), data.spec, 0)
    judge = make_discriminator(BiLSTM(embedding=6, hidden=6), data.spec, 0)
    return data, policy, judge, Runtime(make_accelerator("cpu"), seed=3)


def same(one: Sequences, other: Sequences) -> bool:
    return all(torch.equal(one.condition[name], other.condition[name]) for name in one.condition)


def test_each_real_sequence_of_the_same_question_as_often_as_another():
    condition = {"label": torch.tensor([1, 0, 1, 1, 2]), "source": torch.zeros(5, 3).long()}
    real = Sequences(torch.zeros(5, 2).long(), torch.full((5,), 2), condition=condition)
    alike = Alike(real)
    asked = {"label": torch.tensor([1, 2] * 3_000), "source": torch.zeros(6_000, 3).long()}
    rows = alike.rows(alike.numbers(asked), torch.Generator().manual_seed(0))
    assert (rows[1::2] == 4).all() and rows[0::2].unique().tolist() == [0, 2, 3]
    assert (rows[0::2].bincount(minlength=4)[[0, 2, 3]] - 1_000).abs().max() < 130


@of_each
@pytest.mark.parametrize("changes", [{"loss": "relativistic"}, {"gradient_penalty": 1.0}, {}])
def test_the_critics_pairs(name, changes, monkeypatch):
    data, policy, judge, runtime = models(name)
    config = CriticConfig(batch_size=16, **changes)
    critic = Critic(judge, policy, data.train, data.heldout, config, runtime)
    seen = []
    plain = critic.pair_loss

    def noted(pairs, *more):
        seen.append(same(*pairs))
        return plain(pairs, *more)

    critic.pair_loss = noted
    critic.pair_loss.loss = plain.loss
    critic.train_until(2, critic.draw_negatives(30, runtime.rng("negatives")))
    assert seen == [bool(changes)] * 2


@of_each
def test_the_pairs_of_the_differentiable_player(name):
    data, policy, judge, runtime = models(name)
    materials = Materials(
        policy, own_copy(policy), ConstantReward(0.0), judge, data.train, data.prompts(), runtime
    )
    player = RelaxedUpdates(Relaxed(loss="relativistic", batch_size=12), materials)
    plain, seen = player._loss, []

    def noted(name, key, rows, condition, temperature, real, *more):
        seen.append(all(torch.equal(real.condition[each], condition[each]) for each in condition))
        return plain(name, key, rows, condition, temperature, real, *more)

    player._loss = noted
    player.steps(2)
    assert seen == [True, True]
