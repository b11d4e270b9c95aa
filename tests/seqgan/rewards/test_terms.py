"""Terms of a reward: built-in ones, shapes, means."""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest
import torch

from rollout import RewardError, Sequences
from rollout.modules import frozen_copy
from seqgan.config import LSTM, GrammarCorpus, RewardConfig, RunConfig
from seqgan.config.imports import dotted_names
from seqgan.config.rewards import TERMS, InKeyTerm, MoleculeTerm, reward_terms
from seqgan.data.sources import load_data
from seqgan.errors import ConfigError
from seqgan.models import make_generator
from seqgan.rewards.build import build_reward
from seqgan.rewards.ingredients import Ingredients
from seqgan.rewards.terms import Term, Terms, mean_and_spread, of_sequences


@pytest.fixture(scope="module")
def data():
    corpus = GrammarCorpus(num_train=60, num_validation=20, num_heldout=20, num_test=20)
    return load_data("grammar", corpus, seed=1)


def texts(data, *lines: str) -> Sequences:
    rows = [data.codec.encode(line) + [data.spec.eos_id] for line in lines]
    return Sequences.from_lists(rows, data.spec.pad_id, terminated=True)


def made(data, *terms, mean="sum", **more):
    given = Ingredients(data.train, data.codec, 0, config=RewardConfig(mean=mean), **more)
    return build_reward(reward_terms(list(terms)), given)


def test_short_forms():
    terms = reward_terms(["discriminator:0.5", "my_rewards:qed:0.5", "my.rewards.qed", "length:-2"])
    assert [term.name for term in terms] == [
        "discriminator", "my_rewards:qed", "my.rewards.qed", "length",
    ]  # fmt: skip
    assert [term.weight for term in terms] == [0.5, 0.5, 1.0, -2.0]
    stored = {"rewards": [{"name": "a:b"}, "length"], "stages": [{"rewards": ["c:d"], "steps": 1}]}
    assert [name for _, name in dotted_names(stored)] == ["a:b", "c:d"]
    for wrong, message in (
        ("length:much", "'much' is not a weight"),
        ("lenght", "none of .*did you mean 'length'.*and no package.module:function"),
        ({"name": "regex"}, "give a pattern"),
        ({"name": "regex", "pattern": "("}, "is no expression"),
        ({"name": "length", "form": "log_odds"}, "length has no such setting, discriminator has"),
        ({"name": "length", "low": 3, "high": 3}, "low: 3 is not below high: 3"),
    ):
        with pytest.raises(ConfigError, match=message):
            reward_terms([wrong])
    with pytest.raises(ConfigError, match="--reward.mean geometric expects weights of 0 or above"):
        RunConfig(rewards=["length:-1"], reward={"mean": "geometric"})


@pytest.mark.parametrize(
    "term, expected",
    [
        ("length", [4.0, 2.0]),
        ({"name": "repetition", "order": 2}, [1 / 3, 0.0]),  # a man, man a, a man
        ({"name": "repetition", "order": 5}, [0.0, 0.0]),
        ({"name": "regex", "pattern": r"\bman$"}, [1.0, 0.0]),
        ("constant", [1.0, 1.0]),
    ],
)
def test_terms_of_tokens_and_texts(data, term, expected):
    batch = texts(data, "a man a man", "the dog")
    assert made(data, term)(batch).tolist() == pytest.approx(expected)


def test_novelty(data):
    known = data.codec.texts(data.train.select(slice(0, 1)))[0]
    batch = texts(data, known, "dog dog")
    assert made(data, "novelty")(batch).tolist() == [0.0, 1.0]
    grams = made(data, {"name": "novelty", "order": 2})(batch)
    assert grams.tolist() == [0.0, 1.0]


def test_bleu_against_references(data, tmp_path):
    place = tmp_path / "references.txt"
    place.write_text("a man running fast\n\nthe unheard word\n")
    batch = texts(data, "a man", "dog dog")
    found = made(data, {"name": "bleu", "references": str(place), "order": 1})(batch)
    assert found.tolist() == pytest.approx([math.exp(1 - 3 / 2), 0.0])
    same = texts(data, data.codec.texts(data.train.select(slice(0, 1)))[0])
    assert made(data, "bleu")(same).item() == pytest.approx(1.0)


def test_likelihood(data):
    policy = frozen_copy(make_generator(LSTM(embedding=8, hidden=8), data.spec, 0))
    batch = texts(data, "a man", "the dog running")
    expected = policy(batch).log_prob.sum(1) / batch.lengths
    assert torch.allclose(made(data, "likelihood", reference=policy)(batch), expected)
    other = made(data, {"name": "likelihood", "model": "runs/x"}, load=lambda folder: policy)
    assert torch.allclose(other(batch), expected)


def test_every_term_can_be_built(data, monkeypatch):
    monkeypatch.setattr("seqgan.rewards.molecules.LOOKED_AT", 0)  # the data are no molecules
    policy = frozen_copy(make_generator(LSTM(embedding=8, hidden=8), data.spec, 0))
    needed = {
        "regex": {"pattern": "a"},
        "similarity": {"targets": ["CC"]},
        "substructure": {"smarts": "C"},
    }
    for name, kind in TERMS.items():
        if issubclass(kind, MoleculeTerm) and find_spec("rdkit") is None:
            continue
        if kind is InKeyTerm:  # see tests/seqgan/evaluation/test_music.py
            continue
        term = {"name": name, **needed.get(name, {})}
        more = {"reference": policy, "policy": policy, "ensemble": policy}
        more |= {"mediator": policy, "discriminator": torch.nn.Identity()}
        assert callable(made(data, term, **more))


def lengths_of(values):
    """A reward that gives these values, whatever the sequences."""
    return lambda sequences: torch.tensor(values)


BATCH = Sequences.from_lists([[3, 1], [3, 3, 1], [1]], 0, terminated=True)


@pytest.mark.parametrize(
    "shape, expected",
    [
        ("none", [0.0, 2.0, 7.0]),
        ("clip", [1.0, 2.0, 5.0]),
        ("step", [0.0, 1.0, 0.0]),
        ("sigmoid", [1 / (1 + 19**1.5), 1 / (1 + 19**0.5), 1 / (1 + 19**-2)]),
    ],
)
def test_shapes(shape, expected):
    term = Term("x", 1.0, lengths_of([0.0, 2.0, 7.0]), shape, 1.0, 5.0)
    assert Terms([term])(BATCH).tolist() == pytest.approx(expected)


def test_a_sigmoid_is_where_it_says():
    values = torch.tensor([1.0, 3.0, 5.0])
    term = Term("x", 1.0, lengths_of([0.0]), "sigmoid", 1.0, 5.0)
    assert term.shaped(values).tolist() == pytest.approx([0.05, 0.5, 0.95])
    term.low, term.high = 5.0, 1.0  # small values are wanted
    assert term.shaped(values).tolist() == pytest.approx([0.95, 0.5, 0.05])


def test_standardised_by_the_samples_of_the_step():
    term = Term("x", 2.0, lengths_of([1.0, 2.0, 6.0]), "standardise")
    reward = Terms([term])
    (values,) = reward.judge(BATCH)
    assert values.tolist() == [1.0, 2.0, 6.0]
    reward.begin([values])
    spread = math.sqrt((4 + 1 + 9) / 3)  # mean 3
    assert reward(BATCH).tolist() == pytest.approx([-4 / spread, -2 / spread, 6 / spread])
    term.reward = lengths_of([3.0, 3.0, 3.0])  # completions are measured by the same numbers
    assert reward(BATCH).tolist() == pytest.approx([0.0] * 3)
    term.reward = lengths_of([1e3, 1e3, 1e3])
    reward.begin(reward.judge(BATCH))
    assert reward(BATCH).tolist() == [0.0] * 3


@pytest.mark.parametrize(
    "mean, expected",
    [
        ("sum", [3 * 1 + 1 * 16, 3 * 2 + 0, 1 * 5]),
        ("mean", [19 / 4, 2.0, 5.0]),
        ("geometric", [2.0, 2.0, 5.0]),  # (1^3 16)^(1/4)
    ],
)
def test_means_where_terms_abstain(mean, expected):
    nan = float("nan")
    first = Term("a", 3.0, lengths_of([1.0, 2.0, nan]))
    second = Term("b", 1.0, lengths_of([16.0, nan, 5.0]))
    for term in (first, second):
        values = term.reward(BATCH)
        term.values = lambda _, values=values: values  # what a function returns
    assert Terms([first, second], mean)(BATCH).tolist() == pytest.approx(expected)


def test_a_geometric_mean_of_something_negative():
    term = Term("a", 1.0, lengths_of([1.0, -2.0, 0.0]))
    with pytest.raises(RewardError, match=r"a is -2 for the sequence of token ids \[3, 3, 1\]"):
        Terms([term], "geometric")(BATCH)
    term.reward = lengths_of([4.0, 0.0, 1.0])
    assert Terms([term], "geometric")(BATCH).tolist() == pytest.approx([4.0, 0.0, 1.0])


def test_tokens_and_sequences_together():
    def tokens(sequences):
        return sequences.tokens.float()

    tokens.per_token = True
    reward = Terms([Term("t", 1.0, tokens), Term("s", 10.0, lengths_of([1.0, 2.0, 3.0]))])
    assert reward.per_token
    assert reward(BATCH).tolist() == [[3.0, 11.0, 0.0], [3.0, 3.0, 21.0], [31.0, 0.0, 0.0]]
    each = of_sequences(reward.judge(BATCH)[0])
    assert each.tolist() == [4.0, 7.0, 1.0]
    shaped = Terms([Term("t", 1.0, tokens, "clip", 0.0, 5.0)])
    assert not shaped.per_token and shaped(BATCH).tolist() == [4.0, 5.0, 1.0]


def test_mean_and_spread_without_those_that_abstain():
    mean, spread = mean_and_spread(torch.tensor([1.0, float("nan"), 3.0]))
    assert (mean, spread) == (2.0, 1.0)
    assert mean_and_spread(torch.full((2,), float("nan"))) == (0.0, 0.0)
