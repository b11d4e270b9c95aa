"""Two sources with conditions: styles with a known density, and a toy translation."""

from __future__ import annotations

import pytest
import torch

from rollout import Sequences, generate
from seqgan.config.drawn_corpus import StylesCorpus, TranslationCorpus
from seqgan.data.dataset import fingerprint
from seqgan.data.grammar.policy import GrammarPolicy
from seqgan.data.grammar.styles import StylesPolicy, style_grammars
from seqgan.data.grammar.translation import Phrase, translated
from seqgan.data.sources import load_data
from seqgan.data.text.vocabulary import UNK
from seqgan.errors import ConfigError

SIZES = {"num_train": 300, "num_validation": 40, "num_heldout": 40, "num_test": 60}


@pytest.fixture(scope="module")
def styles():
    return load_data("styles", StylesCorpus(**SIZES), seed=3)


def test_no_text_of_a_style_is_ambiguous():
    for grammar in style_grammars().values():
        policy = GrammarPolicy(grammar)
        assert policy.num_sentences() == policy.num_derivations() > 500


def test_every_text_has_the_density_of_its_style(styles):
    policy: StylesPolicy = styles.density
    assert policy.parses(styles.train).all()
    turned = Sequences(
        styles.train.tokens, styles.train.lengths, styles.train.terminated,
        {"label": 1 - styles.train.condition["label"]},
    )  # fmt: skip
    assert not policy.parses(turned).any()  # no text belongs to both
    for label, name in enumerate(policy.names):
        rows = (styles.train.condition["label"] == label).nonzero()[:, 0]
        assert 100 < len(rows) < 200
        some = styles.train.select(rows)
        plain = Sequences(some.tokens, some.lengths, some.terminated)
        exact = policy.part(label).log_prob(plain)
        assert torch.equal(policy.log_prob(some), exact)
        words = " ".join(styles.codec.texts(some))
        assert ("sincerely" in words) == (name == "formal") and ("cheers" in words) == (
            name == "casual"
        )
        # -log p of draws has the entropy as its mean, here within 4 standard errors
        error = exact.std() / len(rows) ** 0.5
        assert abs(-exact.mean() - policy.part(label).entropy()) < 4 * error


def test_steps_give_the_same_probabilities(styles):
    policy = styles.density
    scores = policy(styles.test)
    state = policy.initial_state(60, styles.test.condition)
    last = torch.full((60,), policy.bos_id)
    for t in range(styles.test.lengths.min()):
        log_probs, state = policy.step(last, state)
        last = styles.test.tokens[:, t]
        taken = log_probs.log_softmax(-1).gather(1, last[:, None])[:, 0]
        assert torch.allclose(taken, scores.log_prob[:, t], atol=1e-5)
    again = generate(policy, 5, condition={"label": torch.tensor([0, 1, 0, 1, 1])})
    assert policy.parses(again).all()


def test_sources_that_are_drawn_depend_on_the_seed(styles):
    assert fingerprint(load_data("styles", StylesCorpus(**SIZES), seed=3)) == fingerprint(styles)
    assert fingerprint(load_data("styles", StylesCorpus(**SIZES), seed=4)) != fingerprint(styles)
    with pytest.raises(ConfigError, match="--test_data: styles brings its own splits"):
        load_data("styles", StylesCorpus(**SIZES), test_data="x.txt")


def test_translations_by_hand():
    dogs, house = Phrase(True, True, "small", "dog"), Phrase(False, False, "red", "house")
    assert translated(dogs, "see", house, "") == (
        "the small dogs see a red house", "los kanos pikolos uno domo ruso vidn",
    )  # fmt: skip
    cat = Phrase(True, False, "", "cat")
    assert translated(cat, "love", Phrase(False, True, "white", "tree"), "often") == (
        "the cat loves some white trees often", "ofto la feli unas arbos blankas amt",
    )  # fmt: skip


def test_no_source_is_in_two_splits_and_every_word_has_an_id():
    data = load_data("translation", TranslationCorpus(**SIZES), seed=1)
    assert data.spec.condition == ("source",) and data.spec.source_length == 9
    seen: set[str] = set()
    for name, count in (("train", 300), ("validation", 40), ("heldout", 40), ("test", 60)):
        split = getattr(data, name)
        sources = set(data.conditions.sources(split.condition))
        assert len(sources) == len(split) == count and not sources & seen
        seen |= sources
        assert not (split.tokens[split.mask] == UNK).any() and bool(split.terminated.all())
        assert not (split.condition["source"] == UNK).any()
    with pytest.raises(ConfigError, match="of which half can be drawn"):
        load_data("translation", TranslationCorpus(num_train=5_000_000))
