"""Words that stand for special tokens stay whole, whatever the tokenizer."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgan.config import FileCorpus
from seqgan.data.text.corpus import corpus_from_lines
from seqgan.data.text.tokenizers import UserTokenizer, make_tokenizer

TOKENIZERS = {name: make_tokenizer(name) for name in ("words", "spaces", "characters", "integers")}


@pytest.mark.parametrize(
    ("tokenizer", "text", "tokens"),
    [
        ("words", "the <unk> group", ["the", "<unk>", "group"]),
        ("words", "<unk> corp. sold N", ["<unk>", "corp.", "sold", "N"]),
        ("words", "(<unk>), \"<unk>\" and <unk>'s.",
         ["(", "<unk>", ")", ",", "``", "<unk>", "''", "and", "<unk>", "'s", "."]),
        ("words", "[UNK] <UNK> <EOS>", ["<unk>", "<unk>", "<eos>"]),
        ("words", "re<unk>ing", ["re", "<unk>", "ing"]),
        ("words", "a < unk > b <b>", ["a", "<", "unk", ">", "b", "<", "b", ">"]),
        ("spaces", "a [UNK] <unk>.", ["a", "<unk>", "<unk>."]),
        ("characters", "C<unk>O[PAD]", ["C", "<unk>", "O", "<pad>"]),
        ("integers", "+07 <unk> 3", ["7", "<unk>", "3"]),
    ],
)  # fmt: skip
def test_they_stay_whole(tokenizer, text, tokens):
    assert TOKENIZERS[tokenizer].tokenize(text) == tokens


@pytest.mark.parametrize("name", ["words", "characters"])
def test_a_word_that_is_named_stands_for_unknown_ones_too(name):
    found = make_tokenizer(name, unknown="UNK").tokenize("UNK UNKNOWN xUNK")
    assert found[0] == "<unk>" and found.count("<unk>") == 1
    assert make_tokenizer(name, unknown="<<oov>>").tokenize("<<oov>>.") == ["<unk>", "."]


PIECES = "<unk> [UNK] <eos> a Gov. Dean 's n't \" ( ) . , can not < > $ 5 ... ' -- xq1qx".split()


@given(
    name=st.sampled_from(["words", "characters", "spaces"]),
    text=st.lists(st.sampled_from([*PIECES, " ", "  "]), max_size=10).map("".join),
)
@settings(max_examples=300)
def test_a_text_that_is_written_is_read_back(name, text):
    tokenizer = TOKENIZERS[name]
    tokens = tokenizer.tokenize(text)
    if name != "spaces":
        assert tokens.count("<unk>") == text.count("<unk>") + text.count("[UNK]")
    assert tokenizer.tokenize(tokenizer.detokenize(tokens)) == tokens


def test_a_tokenizer_of_the_users_own_sees_what_stands_between_them():
    class Halves:
        def tokenize(self, text):
            return [text[i : i + 2] for i in range(0, len(text), 2)]

        def detokenize(self, tokens):
            return "".join(tokens)

    assert UserTokenizer("own", Halves()).tokenize("abc<unk>d") == ["ab", "c", "<unk>", "d"]


def test_a_tokenizer_file_keeps_them_whole(tmp_path):
    library = pytest.importorskip("tokenizers", reason="the package tokenizers is optional")
    inner = library.ByteLevelBPETokenizer()
    inner.train_from_iterator(["the cat sat on the mat"] * 3, vocab_size=280)
    path = os.fspath(tmp_path / "tokenizer.json")
    inner.save(path)
    tokens = make_tokenizer(path).tokenize("the <unk> cat[UNK]")
    assert tokens.count("<unk>") == 2 and not any(
        "unk" in each for each in tokens if each != "<unk>"
    )


@pytest.mark.parametrize("tokenizer", ["words", "spaces"])
def test_they_are_counted_as_unknown(tokenizer):
    lines = [f"the <unk> group sold {i % 4} <unk>" for i in range(10)] * 3
    config = FileCorpus(
        tokenizer=tokenizer, validation_share=0, heldout_share=0, test_share=0, min_count=1
    )
    report = corpus_from_lines(lines, config).report
    train = report.splits["train"]
    assert (train.unknown, train.unknown_share) == (60, 2 / 6)
    assert report.files[0].special_words == train.written_unknown == 60
    (warning,) = [text for text in report.warnings if "unknown" in text]
    assert "33.3% of the train split: most of them are written so in the file" in warning
