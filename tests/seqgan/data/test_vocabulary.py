import json
import os
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seqgan.data.text.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary
from seqgan.errors import ConfigError, DataError

LINES = [["the", "cat", "sat"], ["the", "dog", "sat"], ["the", "éclair"]]


def written(tokens, **changes):
    return json.dumps({"format": "seqgan vocabulary", "version": 1, "tokens": tokens, **changes})


def test_special_ids():
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert SPECIAL_TOKENS == ("<pad>", "<bos>", "<eos>", "<unk>")
    assert (Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.eos_id, Vocabulary.unk_id) == (
        (0, 1, 2, 3)
    )


def test_build_orders_by_frequency_then_code_point():
    vocabulary = Vocabulary.build(LINES)
    assert vocabulary.tokens[4:] == ("the", "sat", "cat", "dog", "éclair")
    assert len(vocabulary) == 9
    assert Vocabulary.build(LINES[::-1]) == vocabulary
    assert hash(Vocabulary.build(LINES[::-1])) == hash(vocabulary)


def test_build_limits():
    assert Vocabulary.build(LINES, max_size=1).tokens[4:] == ("the",)
    assert Vocabulary.build(LINES, min_count=2).tokens[4:] == ("the", "sat")
    assert Vocabulary.build(LINES, max_size=3, min_count=2).tokens[4:] == ("the", "sat")


def test_encode_and_decode():
    vocabulary = Vocabulary.from_list(["a", "b"])
    assert vocabulary.encode(["b", "zebra", "a"]) == [5, 3, 4, 2]
    assert vocabulary.encode(["b"], eos=False) == [5]
    assert vocabulary.encode([]) == [2]
    assert vocabulary.decode([1, 5, 3, 0, 4, 2, 5, 99]) == ["b", "<unk>", "a"]
    assert "a" in vocabulary and "<eos>" not in vocabulary and 4 not in vocabulary


def test_words_spelled_like_special_tokens_are_unknown():
    vocabulary = Vocabulary.build([["<eos>", "<unk>", "<pad>", "<bos>", "a"]])
    assert vocabulary.tokens == (*SPECIAL_TOKENS, "a")
    assert vocabulary.encode(["<eos>", "a", "<pad>", "<bos>", "<unk>"]) == [3, 4, 3, 3, 3, 2]


@pytest.mark.parametrize("number", [6, -1])
def test_decode_refuses_foreign_ids(number):
    with pytest.raises(DataError, match=f"token id {number} is not in this vocabulary of 6"):
        Vocabulary.from_list(["a", "b"]).decode([4, number])


def test_no_ordinary_token():
    with pytest.raises(DataError, match="occurs 2 time.*lower --corpus.min_count"):
        Vocabulary.build([["a", "b"]], min_count=2)
    with pytest.raises(DataError, match="would be empty"):
        Vocabulary.build([["<unk>"]])
    with pytest.raises(DataError, match="no token but the special ones"):
        Vocabulary.from_list([])


def test_bad_limits():
    with pytest.raises(ConfigError, match="--corpus.max_vocabulary: -1"):
        Vocabulary.build(LINES, max_size=-1)
    with pytest.raises(ConfigError, match="--corpus.min_count: 0"):
        Vocabulary.build(LINES, min_count=0)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["a", "b", "a"], "'a' stands twice, as token 4 and 6"),
        (["a", "<eos>"], "'<eos>' stands twice, as token 2 and 5"),
        (["a", ""], "token 5 is empty"),
        (["a\0"], "token 4 is holding NUL"),
        (["\ud800"], "surrogate"),
        ([7], "token 4 is not a string but 7"),
    ],
)
def test_from_list_refuses(tokens, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.from_list(tokens)


def test_save_and_load(tmp_path):
    vocabulary = Vocabulary.from_list(["a", " ", "\n", "\u2028", "👍🏽", "שלום", "e\u0301", '"'])
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert "👍🏽" in path.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["vocabulary.json"]
    assert json.loads(path.read_text(encoding="utf-8"))["tokens"][:4] == list(SPECIAL_TOKENS)


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vocabulary.json"
    Vocabulary.from_list(["old"]).save(path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="cannot write the vocabulary .* No space left on device"):
        Vocabulary.from_list(["new"]).save(path)
    assert Vocabulary.load(path).tokens[4:] == ("old",)
    assert os.listdir(tmp_path) == ["vocabulary.json"]


def test_save_without_folder(tmp_path):
    with pytest.raises(DataError, match="No such file or directory"):
        Vocabulary.from_list(["a"]).save(tmp_path / "none" / "vocabulary.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a vocabulary file"),
        ("7", "is not a vocabulary file"),
        ('{"format": "other"}', "is not a vocabulary file"),
        (written([], version=2), "version 2; this release reads version 1"),
        (written("abc"), "'tokens' is not a list"),
        (written(["a", "b", "c", "d", "e"]), "does not begin with <pad> <bos> <eos> <unk>"),
        (written([]), "does not begin with"),
        (written(SPECIAL_TOKENS), "no token but the special ones"),
        (written([*SPECIAL_TOKENS, "a", "a"]), "'a' stands twice"),
        (written([*SPECIAL_TOKENS, "a", None]), "token 5 is not a string"),
        (written([*SPECIAL_TOKENS, ["a"]]), "token 4 is not a string"),
        (written([*SPECIAL_TOKENS, "a\0b"]), "token 4 is holding NUL"),
        (written([*SPECIAL_TOKENS, ""]), "token 4 is empty"),
        (written([*SPECIAL_TOKENS, "\udc80"]), "surrogate"),
    ],
)
def test_load_refuses(tmp_path, content, message):
    path = tmp_path / "vocabulary.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        Vocabulary.load(path)
    assert str(path) in str(caught.value)


def test_load_refuses_what_is_no_file(tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        Vocabulary.load(tmp_path)
    with pytest.raises(DataError, match="cannot read"):
        Vocabulary.load(tmp_path / "none.json")
    with pytest.raises(DataError, match="cannot read"):
        Vocabulary.load("a\0b")
    (tmp_path / "latin.json").write_bytes(b'"\xe9"')
    with pytest.raises(DataError, match="is not UTF-8"):
        Vocabulary.load(tmp_path / "latin.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(SPECIAL_TOKENS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"


@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_load_raises_nothing_but_data_errors(scratch, content):
    scratch.write_bytes(content)
    with pytest.raises(DataError):
        Vocabulary.load(scratch)


@given(tokens=st.lists(JSON), special=st.booleans())
def test_load_of_any_tokens(scratch, tokens, special):
    tokens = [*SPECIAL_TOKENS, *tokens] if special else tokens
    scratch.write_text(written(tokens), encoding="utf-8")
    words = all(isinstance(x, str) and x and "\0" not in x for x in tokens)
    if special and words and 4 < len(tokens) == len({*tokens}):
        assert list(Vocabulary.load(scratch).tokens) == tokens
    else:
        with pytest.raises(DataError):
            Vocabulary.load(scratch)


@given(lines=st.lists(st.lists(st.text("abc<>eosunk", min_size=1, max_size=5), min_size=1)))
def test_round_trip_and_order(lines):
    counts = Counter(t for line in lines for t in line if t not in SPECIAL_TOKENS)
    assume(counts)
    vocabulary = Vocabulary.build(lines)
    ordinary = vocabulary.tokens[4:]
    assert sorted(ordinary, key=lambda t: (-counts[t], t)) == list(ordinary)
    for line in lines:
        known = [t if t in counts else "<unk>" for t in line]
        assert vocabulary.decode(vocabulary.encode(line)) == known
