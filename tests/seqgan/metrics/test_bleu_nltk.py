"""NLTK's sentence_bleu is the definition: equal to 1e-9 on thousands of tiny random corpora."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from seqgan.metrics import backward_bleu, bleu, bleu_f1, sampled_self_bleu, self_bleu

ORDERS = 5
WEIGHTS = [(1 / n,) * n for n in range(1, ORDERS + 1)]
METHOD1 = SmoothingFunction().method1


def by_nltk(hypothesis, references):
    """BLEU-1 to BLEU-5 of one hypothesis, as NLTK computes it."""
    return sentence_bleu(references, hypothesis, WEIGHTS, METHOD1)


def check(got, expected):
    """Scores by order and sentence against NLTK's by sentence and order."""
    assert list(got) == list(range(1, ORDERS + 1))
    np.testing.assert_allclose(np.stack(list(got.values())).T, expected, rtol=0, atol=1e-9)


# Few tokens make collisions, repetitions and duplicates likely; the strings hold what is easily
# broken: a space, a line separator, combining marks, an unpaired surrogate, the empty string.
WORDS = st.sampled_from(["a", "b", "e\u0301", "\u00e9", "a b", "\u2028", "\ud800", ""])
IDS = st.integers(-1, 3)


def corpora(tokens, at_least):
    """Corpora of sentences of 0 to 9 tokens, with copies of some of them."""
    sentence = st.lists(tokens, max_size=9)
    corpus = st.lists(sentence, min_size=at_least, max_size=6)
    return corpus.flatmap(
        lambda rows: st.lists(st.sampled_from(rows), max_size=2).map(lambda copies: rows + copies)
    )


exhaustive = settings(max_examples=1000, deadline=None, derandomize=True, database=None)


@exhaustive
@given(st.one_of(corpora(WORDS, 2), corpora(IDS, 2), corpora(st.just("x"), 2)))
def test_self_bleu_equals_nltk(rows):
    expected = [by_nltk(row, rows[:i] + rows[i + 1 :]) for i, row in enumerate(rows)]
    check(self_bleu(rows, ORDERS, per_sentence=True), expected)
    means = self_bleu(rows, ORDERS)
    np.testing.assert_allclose(list(means.values()), np.mean(expected, axis=0), rtol=0, atol=1e-9)


@exhaustive
@given(
    st.one_of(
        st.tuples(corpora(tokens, 1), corpora(tokens, 1)) for tokens in (WORDS, IDS, st.just(0))
    )
)
def test_bleu_equals_nltk(pair):
    hypotheses, references = pair
    expected = [by_nltk(row, references) for row in hypotheses]
    check(bleu(hypotheses, references, ORDERS, per_sentence=True), expected)
    check(backward_bleu(references, hypotheses, ORDERS, per_sentence=True), expected)
    back = np.mean([by_nltk(row, hypotheses) for row in references], axis=0)
    forward = np.mean(expected, axis=0)
    f1 = [2 * a * b / (a + b) if a + b else 0 for a, b in zip(forward, back, strict=True)]
    np.testing.assert_allclose(list(bleu_f1(*pair, ORDERS).values()), f1, rtol=0, atol=1e-9)


@settings(exhaustive, max_examples=200)
@given(corpora(IDS, 3), st.integers(1, 2), st.integers(0, 3))
def test_some_against_some_others_equals_nltk(rows, hypotheses, seed):
    drawn = np.random.default_rng(seed).permutation(len(rows))
    chosen, others = drawn[:hypotheses], drawn[hypotheses : hypotheses + 1]
    expected = [by_nltk(rows[i], [rows[j] for j in others]) for i in chosen]
    found = sampled_self_bleu(rows, hypotheses, 1, ORDERS, seed=seed, per_sentence=True)
    check(found, expected)
    expected = [by_nltk(rows[i], [rows[j] for j in drawn[hypotheses:]]) for i in chosen]
    found = sampled_self_bleu(rows, hypotheses, None, ORDERS, seed=seed, per_sentence=True)
    check(found, expected)


@exhaustive
@given(corpora(st.sampled_from("ab?"), 2))
def test_an_unknown_token_is_nltk_with_a_new_word_at_every_place(rows):
    places = count()
    renamed = [[next(places) if token == "?" else token for token in row] for row in rows]
    expected = [by_nltk(row, renamed[:i] + renamed[i + 1 :]) for i, row in enumerate(renamed)]
    check(self_bleu(rows, ORDERS, per_sentence=True, unk="?"), expected)
    expected = [by_nltk(row, renamed[1:]) for row in renamed[:1]]
    check(bleu(rows[:1], rows[1:], ORDERS, per_sentence=True, unk="?"), expected)


@pytest.mark.parametrize("vocabulary", [2, 4, 30])
def test_random_corpora_equal_nltk(vocabulary):
    rng = np.random.default_rng(vocabulary)
    for _ in range(300):
        rows = [
            rng.integers(0, vocabulary, size=rng.integers(0, 10)).tolist()
            for _ in range(rng.integers(2, 9))
        ]
        expected = [by_nltk(row, rows[:i] + rows[i + 1 :]) for i, row in enumerate(rows)]
        check(self_bleu(rows, ORDERS, per_sentence=True), expected)
        half = max(1, len(rows) // 2)
        expected = [by_nltk(row, rows[half:]) for row in rows[:half]]
        check(bleu(rows[:half], rows[half:], ORDERS, per_sentence=True), expected)


def test_a_larger_corpus_equals_nltk():
    rng = np.random.default_rng(7)
    ranks = np.minimum(rng.zipf(1.5, size=(120, 14)), 50)
    rows = [row[: rng.integers(0, 15)].tolist() for row in ranks]
    expected = [by_nltk(row, rows[:i] + rows[i + 1 :]) for i, row in enumerate(rows)]
    check(self_bleu(rows, ORDERS, per_sentence=True), expected)


def test_one_long_repetition_is_linear():
    # The j-th occurrence of a token is matched one by one: a set of these must not cost j^2.
    rows = [[0] * 30_000, [0] * 20_000]
    got = self_bleu(rows, 2, per_sentence=True)
    assert got[1].tolist() == pytest.approx([2 / 3, np.exp(1 - 30 / 20)], abs=1e-12)
