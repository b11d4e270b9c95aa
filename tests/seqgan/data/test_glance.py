"""Signs that a file is read in the wrong way: no blanks, padding, many unknown tokens."""

from __future__ import annotations

import json
import random

import pytest

from seqgan.config import FileCorpus
from seqgan.data.text.corpus import corpus_from_lines, load_corpus
from seqgan.data.text.glance import Glance, is_uncut, uncut_share
from seqgan.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("text", "uncut"),
    [
        ("CC(=O)Oc1ccccc1", True), ("a", False), ("", False), ("a cat sat", False),
        ("春天来了，花开了", True), ("春天来了花开 我们去公园", True), ("春 天 来 了", False),
        ("donaudampfschifffahrt gesellschaften", False), ("очень длинное", False),
    ],
)  # fmt: skip
def test_texts_without_blanks(text, uncut):
    assert is_uncut(text) is uncut


def test_share_of_texts_without_blanks():
    assert uncut_share(["CCO", "a cat", "", "CN", "CCl"]) == 3 / 4
    assert uncut_share([]) == 0


def padding_of(rows):
    glance = Glance()
    for row in rows:
        glance.add(" ".join(row), row)
    return glance.padding()


@pytest.mark.parametrize(
    ("rows", "padding"),
    [
        ([["5", "9", "9"], ["7", "8", "9"], ["3", "9", "9"]], "9"),
        ([["5", "9", "9"], ["7", "8", "9"], ["3", "8", "9"]], None),  # a third of them
        ([["5", "0", "0", "0", "0"], ["0", "0", "0", "0"]], "0"),  # of other lengths
        ([["0", "5", "0", "0", "0", "0"], ["1", "0", "0", "0", "0"]], None),  # and inside
        ([["what", "!", "!"], ["no", "way", "!", "!"]], None),  # short runs, other lengths
        ([["9"], []], None),
    ],
)
def test_padding(rows, padding):
    assert padding_of(rows * 3) == padding
    assert padding_of(rows[:4]) is None  # too few to tell


def padded_lines():
    rng = random.Random(0)
    rows = [[str(rng.randrange(40)) for _ in range(rng.randint(4, 12))] for _ in range(60)]
    return [" ".join(row + ["99"] * (20 - len(row))) for row in rows], rows


def test_padding_is_pointed_out_with_the_flag_that_leaves_it_out():
    lines, rows = padded_lines()
    config = FileCorpus(tokenizer="integers", min_count=1)
    report = corpus_from_lines(lines, config, name="music").report
    (warning,) = [text for text in report.warnings if "padding" in text]
    assert warning.startswith("most lines of music end in several '99'")
    assert "--corpus.padding 99 leaves it out" in warning
    config.padding = "99"
    corpus = corpus_from_lines(lines, config, name="music")
    assert not any("padding" in text for text in corpus.report.warnings)
    assert corpus.report.files[0].padded == 60 and "99" not in corpus.vocabulary
    assert max(corpus.report.splits[name].max_length for name in corpus.report.splits) == 13
    total = sum(split.words for split in corpus.report.splits.values())
    assert total == sum(map(len, rows))


def test_padding_that_no_sequence_has_is_pointed_out():
    config = FileCorpus(tokenizer="integers", min_count=1, padding="77")
    warnings = corpus_from_lines(padded_lines()[0], config).report.warnings
    assert "--corpus.padding 77: no sequence ends in this token" in warnings


def test_padding_beyond_the_length_limit_is_pointed_out():
    config = FileCorpus(tokenizer="integers", max_length=10)
    with pytest.raises(DataError, match="longer than .* if that is padding, give --corpus.padding"):
        corpus_from_lines(padded_lines()[0], config)


def test_special_words_as_padding():
    lines = [f"{line} <pad> <pad> <pad> [PAD] [PAD]" for line in ("a b", "c d", "a d")]
    chosen = {"tokenizer": "spaces", "min_count": 1, "validation_share": 0, "heldout_share": 0}
    config = FileCorpus(**chosen, test_share=0, padding="[PAD]")
    corpus = corpus_from_lines(lines, config)
    assert corpus.tokens("train") == [["a", "b"], ["c", "d"], ["a", "d"]]


CHINESE = "春天来了花开我们去公园看狗"


def test_a_split_without_a_known_token_is_refused():
    rng = random.Random(0)
    lines = ["".join(rng.choices(CHINESE, k=9)) for _ in range(100)] * 2
    with pytest.raises(DataError) as caught:
        corpus_from_lines(lines, FileCorpus(), name="poems")
    message = str(caught.value)
    assert "holds no token of the splits validation, heldout, test" in message
    assert (
        "the text has hardly any blanks, where 'words' cuts: give --corpus.tokenizer characters"
        in message
    )
    report = corpus_from_lines(lines, FileCorpus(tokenizer="characters")).report
    assert not any("unknown" in text or "blanks" in text for text in report.warnings)


def test_text_without_blanks_whose_pieces_come_once_is_refused_with_the_cure():
    lines = [f"{'ACDEFGHIKL'[i % 10]}{'MNPQRSTVWY'[i // 10]}KV" for i in range(60)]
    with pytest.raises(DataError, match="no token of names occurs 2 times.*tokenizer characters"):
        corpus_from_lines(lines, FileCorpus(), name="names")
    assert corpus_from_lines(lines, FileCorpus(tokenizer="characters")).vocabulary


def test_text_without_blanks_is_pointed_out():
    lines = [f"C(C)C{'CN'[i % 2]}" for i in range(40)] + [f"N(C)C{i}" for i in range(40)]
    (warning, *_) = corpus_from_lines(
        lines, FileCorpus(min_count=1), name="molecules"
    ).report.warnings
    assert warning.startswith("100.0% of the lines of molecules cannot be cut at blanks")
    assert "give --corpus.tokenizer characters" in warning


def test_many_unknown_tokens_are_pointed_out():
    # One of five tokens comes once only, in each split; at a share of exactly 20% nothing is said.
    lines = [f"it is as w{i} ." for i in range(400)]
    config = FileCorpus(split="contiguous")
    assert corpus_from_lines(lines, config).report.warnings == []
    lines = [f"it is w{i} ." for i in range(400)]
    (warning,) = corpus_from_lines(lines, config).report.warnings
    assert warning == (
        "unknown tokens (<unk>) are 25.0% of the train split, 25.0% of the validation split, 25.0% "
        "of the heldout split, 25.0% of the test split: --corpus.tokenizer characters makes tokens "
        "of characters, --corpus.min_count 1 keeps rarer ones"
    )


def test_lists_of_tokens_need_a_tokenizer_that_leaves_them_as_they_are(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(["C", "[nH]", str(i)]) + "\n" for i in range(40)))
    for tokenizer in ("words", "characters"):
        with pytest.raises(
            ConfigError, match=f"{tokenizer}.* would cut anew: give .*tokenizer spaces"
        ):
            load_corpus(path, FileCorpus(tokenizer=tokenizer))
    corpus = load_corpus(path, FileCorpus(tokenizer="spaces", split="contiguous"))
    assert corpus.original_tokens("train")[1] == ["C", "[nH]", "1"]
