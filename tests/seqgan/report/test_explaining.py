"""The page of explanations: small however long the sequences are, and its words."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from seqgan.evaluation.attention import summary
from seqgan.evaluation.explain import Alternative, Explanation
from seqgan.report.explaining import ROWS, Cell, write_explanations
from seqgan.report.extremes import Sample, extreme_samples

LARGEST = 2_000_000
"""Bytes of a page of 20 sequences."""


def explanation(length: int, kind: str = "log_odds") -> Explanation:
    """Numbers of a sequence, as those of the default Transformers would be."""
    torch.manual_seed(length)

    def numbers() -> list[float]:
        return [round(each, 5) for each in torch.randn(length).tolist()]

    def attention():
        return summary(torch.rand(4, 4, length, length).mul(30).softmax(-1))

    tokens = [f"word{place}" for place in range(length)]
    return Explanation(
        " ".join(tokens), tokens, numbers(), numbers(),
        [[Alternative(f"likely{place}", 0.25)] * 4 for place in range(length)],
        kind, 1.5, numbers(), numbers(), numbers(), numbers(),
        attention={"generator": attention(), "discriminator": attention()},
        other=numbers(), other_entropy=numbers(),
    )  # fmt: skip


@pytest.mark.parametrize("length", [21, 64, 256])
def test_twenty_sequences_are_small(length, tmp_path):
    page = write_explanations([explanation(length)], tmp_path, "run", "finetuned", "mle")
    text = page.read_text()
    assert 20 * len(text.encode()) < LARGEST
    found = json.loads((tmp_path / "explain.json").read_text())
    assert len(found["sequences"][0]["shares"]) == length
    assert 20 * (tmp_path / "explain.json").stat().st_size < 5 * LARGEST
    cut = f"The first {ROWS} of {length} tokens"
    assert (cut in text) == (length > ROWS)
    assert ("&lt;bos&gt;</text>" in text) == (length <= 40)  # names at the axes


def test_extremes_without_shares_have_no_colours():
    sample = {"tokens": ["a"], "shares": [], "log_prob": [-1.0], "judged": 2.0}
    stored = {"kind": "reward", "most": [sample], "least": [sample]}
    found = extreme_samples(SimpleNamespace(results={"explained": stored}))
    assert not found.shares and found.groups[0] == (
        "Highest reward", [Sample([("a", Cell(""))], 2.0, -1.0)]
    )  # fmt: skip
    for without in (None, {"most": [sample], "least": [sample]}):  # of an older version
        assert extreme_samples(SimpleNamespace(results={"explained": without})) is None


def test_what_is_impossible_is_null_in_json(tmp_path):
    """A text of one's own may hold a token that the model never emits."""
    found = replace(explanation(2), log_prob=[-math.inf, -1.0], other=[math.nan, -2.0])
    write_explanations([found], tmp_path, "run", "mle", "finetuned")

    def refused(name: str):
        raise AssertionError(f"{name} is no JSON")

    text = (tmp_path / "explain.json").read_text()
    (read,) = json.loads(text, parse_constant=refused)["sequences"]
    assert read["log_prob"] == [None, -1.0] and read["other"] == [None, -2.0]


def test_a_picture_has_rows(tmp_path):
    page = write_explanations([replace(explanation(6), width=3)], tmp_path, "r", "mle", "none")
    assert 'class="heat picture" style="--columns:3"' in page.read_text()


def test_words_are_those_of_the_judge(tmp_path):
    def page(kind):
        place = tmp_path / kind
        found = [explanation(3, kind)]
        return write_explanations(found, place, "run", "mle", "none", ["Remark."]).read_text()

    odds, score, ratio = page("log_odds"), page("score"), page("log_ratio")
    assert "speaks for real" in odds and "log-odds +1.50" in odds and "Remark." in odds
    assert "log-odds +" not in score and "speaks for real" not in score and "score +1.50" in score
    assert "too rare in the model" in ratio and "log ratio +1.50" in ratio
