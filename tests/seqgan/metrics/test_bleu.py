"""BLEU and self-BLEU by hand, and their corners."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from seqgan.errors import MetricError
from seqgan.metrics import backward_bleu, bleu, bleu_f1, ngrams, sampled_self_bleu, self_bleu


def test_one_hypothesis_by_hand():
    # p1 = 2/3 (a, b), p2 = 1/2 (a b), p3 = 0.1/1 by smoothing, p4 = 0.1/max(1, 0); no brevity.
    got = bleu([["a", "b", "c"]], [["a", "b", "d"]], 4)
    assert got == pytest.approx(
        {
            1: 2 / 3,
            2: math.sqrt(2 / 3 / 2),  # 0.5773502692
            3: (2 / 3 / 2 * 0.1) ** (1 / 3),  # 0.3218297949
            4: (2 / 3 / 2 * 0.1 * 0.1) ** (1 / 4),
        },
        abs=1e-12,
    )
    assert got[2] == pytest.approx(0.5773502692, abs=1e-9)
    assert got[3] == pytest.approx(0.3218297949, abs=1e-9)


def test_matches_are_clipped_at_the_largest_count_of_any_one_reference():
    # "the" counts twice (second reference), "the the" once; never the sum over the references.
    got = bleu([["the", "the", "the"]], [["the", "cat"], ["the", "the", "dog"]], 2)
    assert got == pytest.approx({1: 2 / 3, 2: math.sqrt(2 / 3 * 1 / 2)}, abs=1e-12)


@pytest.mark.parametrize(
    ("length", "references", "brevity"),
    [
        (2, [1, 3], 1.0),  # a tie: the shorter one counts, and is no penalty
        (2, [3], math.exp(1 - 3 / 2)),
        (4, [9, 5], math.exp(1 - 5 / 4)),
        (4, [0, 7], math.exp(1 - 7 / 4)),
        (3, [0, 6], 1.0),
        (6, [1], 1.0),
    ],
)
def test_brevity_by_hand(length, references, brevity):
    got = bleu([["x"] * length], [["x"] * r for r in references], 1)
    clipped = min(length, max(references)) / length
    assert got[1] == pytest.approx(clipped * brevity, abs=1e-12)


def test_an_empty_hypothesis_and_one_without_a_known_word_score_zero():
    got = bleu([[], ["z"], ["a"]], [["a"]], 2, per_sentence=True)
    assert got[1].tolist() == [0, 0, 1]
    assert got[2].tolist() == pytest.approx([0, 0, math.sqrt(0.1)], abs=1e-12)


def test_self_bleu_leaves_out_one_copy_only():
    # Each "a b" has its copy among the references and scores 1; "c" matches nothing.
    got = self_bleu([["a", "b"], ["a", "b"], ["c"]], 2, per_sentence=True)
    assert got[1].tolist() == [1, 1, 0]
    assert got[2].tolist() == [1, 1, 0]
    assert self_bleu([["a", "b"], ["a", "b"], ["c"]], 2) == pytest.approx({1: 2 / 3, 2: 2 / 3})


def test_self_bleu_by_hand():
    # "a a b": a is clipped at 1 by the others, b at 1: p1 = 2/3; "a b" matches: p2 = 1/2.
    # "a b": p1 = 1, p2 = 1, but its closest other length is 1 (tie of 1 and 3): no penalty.
    # "b": p1 = 1, p2 = 0.1; the closest other length is 2: exp(1 - 2).
    got = self_bleu([["a", "a", "b"], ["a", "b"], ["b"]], 2, per_sentence=True)
    assert got[1].tolist() == pytest.approx([2 / 3, 1, math.exp(-1)], abs=1e-12)
    expected = [math.sqrt(1 / 3), 1, math.exp(-1) * math.sqrt(0.1)]
    assert got[2].tolist() == pytest.approx(expected, abs=1e-12)


def test_literal_scores_of_a_few_sentences():
    sentences = [
        line.split()
        for line in (
            "a small boat lies at the quay in the evening sun",
            "a red boat lies at the quay",
            "two dogs run along the quay in the rain",
            "the dogs run the dogs run the dogs run",
            "evening",
        )
    ]
    # From nltk.translate.bleu_score.sentence_bleu with method1, 3.10, once.
    assert self_bleu(sentences, 5) == pytest.approx(SELF, abs=1e-9)
    assert bleu(sentences[:2], sentences[2:], 5) == pytest.approx(FORWARD, abs=1e-9)


SELF = {
    1: 0.5151790151068,
    2: 0.4165097735410,
    3: 0.3448502182283,
    4: 0.2929500923515,
    5: 0.2203698778983,
}
FORWARD = {
    1: 0.3346266262835,
    2: 0.2666301311966,
    3: 0.1928507055262,
    4: 0.1502887047079,
    5: 0.0927223608060,
}


def test_strings_are_compared_code_point_by_code_point():
    composed, decomposed, surrogate = "\u00e9", "e\u0301", "\ud800"
    got = bleu([[composed], [decomposed], [surrogate], ["\udfff"]], [[composed], [surrogate]], 1)
    assert got[1] == 0.5
    assert bleu([["a\u2028b", " ", ""]], [["", " ", "a\u2028b"]], 1)[1] == 1


def test_ids_arrays_and_strings_give_the_same():
    rows = [[3, 1, 2, 3], [1, 2, 3, 3], [0, 1, 0, 1]]
    expected = self_bleu(rows, 4)
    assert self_bleu(np.array(rows), 4) == expected
    assert self_bleu([np.array(row, dtype=np.int16) for row in rows], 4) == expected
    assert self_bleu([tuple(map(str, row)) for row in rows], 4) == expected
    assert self_bleu((list(map(np.int64, row)) for row in rows), 4) == expected


def test_tensors_are_compared_by_value():
    torch = pytest.importorskip("torch")
    rows = [[3, 1, 2, 3], [1, 2, 3, 3]]
    assert self_bleu(torch.tensor(rows), 3) == self_bleu(rows, 3)
    with pytest.raises(MetricError, match="tolist"):
        self_bleu([list(torch.tensor(row)) for row in rows], 3)


def test_an_unknown_token_matches_unless_it_is_named():
    hypotheses, references = [["a", "?", "b"]], [["a", "?", "b"]]
    assert bleu(hypotheses, references, 2) == {1: 1, 2: 1}
    # Named: 2 of 3 unigrams match, neither bigram does, and lengths stay as they are.
    got = bleu(hypotheses, references, 2, unk="?")
    assert got == pytest.approx({1: 2 / 3, 2: math.sqrt(2 / 3 * 0.1 / 2)}, abs=1e-12)
    assert self_bleu(hypotheses + references, 2, unk="?") == pytest.approx(got, abs=1e-12)
    assert bleu(hypotheses, references, 1, unk="not there") == {1: 1}


def test_backward_bleu_and_f1_by_hand():
    generated, real = [["a", "b"]], [["a", "b"], ["c", "d"]]
    assert bleu(generated, real, 2) == {1: 1, 2: 1}
    assert backward_bleu(generated, real, 2) == {1: 0.5, 2: 0.5}
    assert backward_bleu(generated, real, 1, per_sentence=True)[1].tolist() == [1, 0]
    assert bleu_f1(generated, real, 2) == pytest.approx({1: 2 / 3, 2: 2 / 3})
    assert bleu_f1([["x"]], real, 1) == {1: 0}


def test_sampled_self_bleu_draws_without_replacement_and_is_reproducible():
    rows = [[i, i + 1] for i in range(0, 40, 2)]
    # No two sentences share a token, so any score above 0 would be a sentence against itself.
    assert sampled_self_bleu(rows, 10, 10, 2) == {1: 0, 2: 0}
    rows = [[i % 3, i % 5, i % 7] for i in range(60)]
    first = sampled_self_bleu(rows, 7, 20, 3, seed=3)
    assert first == sampled_self_bleu(rows, 7, 20, 3, seed=np.random.default_rng(3))
    assert first != sampled_self_bleu(rows, 7, 20, 3, seed=4)
    assert sampled_self_bleu(rows, 7, None, 1, per_sentence=True)[1].shape == (7,)
    with pytest.raises(MetricError, match="cannot draw 50 hypotheses and 20 references"):
        sampled_self_bleu(rows, 50, 20)
    with pytest.raises(MetricError, match="cannot draw 60 hypotheses and 0 references"):
        sampled_self_bleu(rows, 60)


def test_the_way_for_keys_that_do_not_fit_an_integer_gives_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 4, size=rng.integers(0, 9)).tolist() for _ in range(60)]
    expected = self_bleu(rows, 5, per_sentence=True)
    monkeypatch.setattr(ngrams, "KEY_BITS", 0)
    got = self_bleu(rows, 5, per_sentence=True)
    assert all((got[n] == expected[n]).all() for n in expected)


@pytest.mark.slow
def test_the_time_of_self_bleu_is_linear_in_the_sentences():
    draws = np.minimum(np.random.default_rng(0).zipf(1.4, size=(120_000, 10)), 5000).tolist()

    def seconds(rows):
        start = time.process_time()
        self_bleu(rows)
        return time.process_time() - start

    small = min(seconds(draws[:20_000]) for _ in range(5))
    large = min(seconds(draws) for _ in range(3))
    # 6 times the sentences; a quadratic way would take 36 times as long.
    assert large / small < 15


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: self_bleu([["a"]]), "at least 2 needed, got 1"),
        (lambda: self_bleu([]), "at least 2 needed, got 0"),
        (lambda: bleu([["a"]], []), "references: at least 1 needed"),
        (lambda: bleu([], [["a"]]), "hypotheses: at least 1 needed"),
        (lambda: backward_bleu([], [["a"]]), "hypotheses: at least 1 needed"),
        (
            lambda: bleu([["a"], "not split"], [["a"]]),
            r"hypotheses\[1\] .* 'not split'; split text",
        ),
        (lambda: bleu([["a"]], [[1, 2]]), "hypotheses are words and the references are ids"),
        (lambda: bleu(np.array([[1]]), [["1"]]), "hypotheses are ids and the references are words"),
        (lambda: bleu("not split", [["a"]]), "must be a list of token sequences"),
        (lambda: self_bleu([1, 2, 3]), r"sentences\[0\] must be a list of tokens"),
        (lambda: self_bleu(np.arange(3)), r"sentences\[0\] must be a list of tokens"),
        (lambda: self_bleu(7), "must be a list of token sequences"),
        (lambda: self_bleu([["a"], [["b"]]]), "hashable"),
        (lambda: self_bleu([["a"], ["b"]], 0), "max_order"),
        (lambda: self_bleu([["a"], ["b"]], 2.0), "max_order"),
    ],
)
def test_what_makes_no_sense_is_a_typed_error(call, message):
    with pytest.raises(MetricError, match=message):
        call()
