"""Likelihoods a word and a character, and reverse perplexity."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rollout import Sequences
from seqgan.config import EvaluationConfig, FileCorpus
from seqgan.data.dataset import TokenSpec
from seqgan.data.sources import load_data
from seqgan.errors import MetricError
from seqgan.evaluation import reverse
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.scoring import Scorer
from seqgan.metrics.likelihood import spelling_nll


def test_spelling_by_hand():
    # each word: its characters and its end, of 8 characters, any other, and the end
    found = spelling_nll([["ab", "c"], [], ["d"]], 8)
    assert found.tolist() == pytest.approx([5 * math.log(10), 0, 2 * math.log(10)])


def test_a_ratio_and_its_exponential_by_hand():
    score = Scorer(100, 0.9, 0)
    nats, tokens = np.array([2.0, 4.0]), np.array([1, 2])
    plain = score.ratio("nll", nats, tokens, "lower", on="test")
    assert plain.value == 2 and plain.interval == pytest.approx((2, 2))
    assert "unit:nats/token|on:test|n:2|bootstrap:0.9/100|seed:0" in plain.signature
    perplexity = score.ratio("ppl", nats, tokens, "lower", "1/token", exponential=True)
    assert perplexity.value == pytest.approx(math.exp(2))


def test_vocabularies_compare_a_character(tmp_path):
    path = tmp_path / "lines.txt"
    lines = [f"the cat {a}{b} sat" for a in "abcdefgh" for b in "abcdefgh"]
    path.write_text("\n".join(lines))
    small, large = (
        load_data(str(path), FileCorpus(tokenizer="spaces", min_count=count)) for count in (2, 1)
    )
    config = EvaluationConfig(resamples=20)
    known = {"the", "cat", "sat"}
    assert known <= set(small.codec.vocabulary.tokens) and len(small.codec.vocabulary) == 7
    evaluator = Evaluator(small, config, 0)
    nll = np.zeros(len(small.test))
    word, character = evaluator._per_word(nll)
    # every line has one unknown word: two letters and its end
    alphabet = len(set("".join(line.replace(" ", "") for line in lines)))
    assert word.value == pytest.approx(3 * math.log(alphabet + 2) / 4)
    assert character.value == pytest.approx(3 * math.log(alphabet + 2) / len("the cat ab sat"))
    assert "unk:spelled" in word.signature
    full = Evaluator(large, config, 0)
    split = large.real_tokens("test")
    unknown = sum(token not in large.codec.vocabulary for row in split for token in row)
    total = full._per_word(np.zeros(len(large.test)))[0].value * 4 * len(split)
    assert total == pytest.approx(unknown * 3 * math.log(alphabet + 2))


SPEC = TokenSpec(vocab_size=6, bos_id=1, eos_id=2, pad_id=0, max_length=3, forbidden=(0, 1))


def sequences(rows) -> Sequences:
    return Sequences(torch.tensor(rows), torch.full((len(rows),), 3), torch.ones(len(rows)).bool())


@pytest.fixture
def short(monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(reverse, "TRAINING", replace(reverse.TRAINING, epochs=4, batch_size=16))


def test_reverse_perplexity_rises_where_samples_lack_a_part(short):
    rng = np.random.default_rng(0)
    real = sequences([[3 + a, 3 + b, 2] for a, b in rng.integers(0, 3, size=(400, 2)).tolist()])
    repeated = sequences([[3, 4, 2]] * 400)
    shares = []
    for samples in (real, repeated):
        found = reverse.reverse_scores(samples, real, SPEC, 0)
        shares.append(float(-found.log_prob.sum() / found.tokens.sum()))
    floor = 2 * math.log(3) / 3  # two free tokens of three, and an end that is certain
    assert floor - 0.02 < shares[0] < floor + 0.15 and shares[1] > floor + 0.5
    again = reverse.reverse_scores(repeated, real, SPEC, 0)
    assert float(-again.log_prob.sum() / again.tokens.sum()) == shares[1]
    with pytest.raises(MetricError, match="3 samples, four or more"):
        reverse.reverse_scores(sequences([[3, 4, 2]] * 3), real, SPEC, 0)
