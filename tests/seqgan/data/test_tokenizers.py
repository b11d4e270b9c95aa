import os
import string
import sys

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from seqgan.data.text.special import SpecialWords
from seqgan.data.text.tokenizers import Integers, UserTokenizer, make_tokenizer
from seqgan.data.text.words import Words
from seqgan.errors import ConfigError, DataError, MissingExtraError

WORDS = Words()
# What NLTK's expressions look at, so that random texts meet its corners.
ATOMS = [
    *("a", "9", "foo", "é", "漢", "cannot", "gonna", "wanna", "d'ye", "'tis", "more'n", "don't"),
    *("'", "''", '"', "`", "``", ".", "..", ",", ":", ";", "(", ")", "[", "<", "{", "-", "--"),
    *("—", "!", "?", "$", "%", "&", "*", "n't", "N'T", "'s", "'ll", "«", "»", "“", "”", "’"),
    *(" ", " ", " ", " ", " ", " ", "\t", "\u2028", "\x1c", "\x85", "\u3000", "\xa0", "_"),
]
TEXT = st.text() | st.lists(st.sampled_from(ATOMS), max_size=10).map("".join)


@pytest.mark.parametrize(
    ("name", "text", "tokens", "back"),
    [
        ("spaces", " a\tb  c.\u3000", ["a", "b", "c."], "a b c."),
        ("spaces", "秦 川 雄 帝 宅 ，", ["秦", "川", "雄", "帝", "宅", "，"], "秦 川 雄 帝 宅 ，"),
        ("spaces", " \t", [], ""),
        ("words", "", [], ""),
        ("words", "a\tcat  sat.", ["a", "cat", "sat", "."], "a cat sat."),
        ("words", "I don't, Mr. X.", ["I", "do", "n't", ",", "Mr.", "X", "."], "I don't, Mr. X."),
        ("words", 'say "hi"', ["say", "``", "hi", "''"], 'say "hi"'),
        ("words", "cannot", ["can", "not"], "cannot"),
        ("words", "Gov . Dean ran .", ["Gov", ".", "Dean", "ran", "."], "Gov . Dean ran."),
        ("words", "naïve 👍🏽 שלום", ["naïve", "👍🏽", "שלום"], "naïve 👍🏽 שלום"),
        ("characters", "a b", ["a", " ", "b"], "a b"),
        ("characters", "e\u0301👍🏽", ["e", "\u0301", "👍", "🏽"], "e\u0301👍🏽"),
        ("characters", "שלום", ["ש", "ל", "ו", "ם"], "שלום"),
        ("integers", "7 +07\t-3 -0", ["7", "7", "-3", "0"], "7 7 -3 0"),
    ],
)
def test_built_in(name, text, tokens, back):
    tokenizer = make_tokenizer(name)
    assert tokenizer.name == name
    assert tokenizer.tokenize(text) == tokens
    assert tokenizer.detokenize(tokens) == back
    assert tokenizer.tokenize(back) == tokens


@pytest.mark.parametrize("piece", ["x", "1.0", "1_000", "٣", "0x1f", "1e3", "--1", "9" * 19, "+"])
def test_integers_refuse(piece):
    with pytest.raises(DataError, match="is not a whole number of up to 18 digits"):
        Integers().tokenize(f"1 {piece} 2")


@given(text=TEXT)
@example(text='"\'\'more, "then ,"')
@example(text="foo. )")
@example(text="foo. ] \"'")
@example(text="'' open")
def test_words_are_those_of_nltk(text):
    expected = WORDS._nltk.tokenize(" ".join(text.split()))
    assert WORDS.tokenize(text) == expected
    assert WORDS.tokenize(text) == expected  # now from its memory


@given(line=st.text(string.ascii_letters + string.digits + string.punctuation + " "))
def test_words_of_plain_lines_are_those_of_nltk_as_it_stands(line):
    line = line.strip()
    assume(not SpecialWords().in_text(line))  # those are kept whole
    assert WORDS.tokenize(line) == WORDS._nltk.tokenize(line)


@given(text=TEXT)
@settings(max_examples=300)
def test_words_are_stable(text):
    tokens = WORDS.tokenize(text)
    assert WORDS.tokenize(WORDS.detokenize(tokens)) == tokens


@pytest.mark.parametrize("name", ["spaces", "characters"])
@given(text=st.text())
def test_spaces_and_characters_are_stable(name, text):
    tokenizer = make_tokenizer(name)
    tokens = tokenizer.tokenize(text)
    assert tokenizer.tokenize(tokenizer.detokenize(tokens)) == tokens
    assert all(tokens)


@given(numbers=st.lists(st.integers(-(10**18) + 1, 10**18 - 1)))
def test_integers_are_stable(numbers):
    tokenizer = Integers()
    tokens = tokenizer.tokenize("  ".join(map(str, numbers)))
    assert tokens == [str(number) for number in numbers]
    assert tokenizer.tokenize(tokenizer.detokenize(tokens)) == tokens


@given(tokens=st.lists(st.sampled_from(["<unk>", "a", "``", "''", ".", "n't", "York.", "("])))
def test_words_write_any_tokens(tokens):
    text = WORDS.detokenize(tokens)
    assert text.count("<unk>") == tokens.count("<unk>")


def test_words_forget_rather_than_grow(monkeypatch):
    monkeypatch.setattr("seqgan.data.text.words._CACHE_SIZE", 10)
    words = Words()
    for i in range(100):
        assert words.tokenize(f"w{i} x{i}.") == [f"w{i}", f"x{i}", "."]
    assert len(words._inner) <= 10 and len(words._final) <= 10
    words.tokenize("y " + "z" * 1000 + " y")
    assert max(map(len, words._inner)) < 1000


def test_words_name_the_way_out_of_a_timeout(monkeypatch):
    words = Words()

    def slow(_):
        raise TimeoutError

    monkeypatch.setattr(words._nltk, "tokenize", slow)
    with pytest.raises(DataError, match="6 characters takes .* --corpus.tokenizer spaces"):
        words.tokenize("cannot")


def test_no_nltk_data_is_needed(monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    assert Words().tokenize("It's fine.") == ["It", "'s", "fine", "."]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("word", "did you mean 'words'?"), ("character", "did you mean 'characters'?"), ("", "")],
)
def test_unknown_names(name, hint):
    with pytest.raises(ConfigError, match="--corpus.tokenizer: .* is none of words, spaces") as e:
        make_tokenizer(name)
    assert hint in str(e.value)


PLUGIN = """
class Pairs:
    def tokenize(self, text): return [text[i:i+2] for i in range(0, len(text), 2)]
    def detokenize(self, tokens): return "".join(tokens)

def pairs(): return Pairs()

ready = Pairs()
number = 7

class Half:
    def tokenize(self, text): return []

class Sick(Pairs):
    def tokenize(self, text): return 1 / 0
    def detokenize(self, tokens): return None

class Odd(Pairs):
    def tokenize(self, text): return text

class Empty(Pairs):
    def tokenize(self, text): return ["a", ""]

def needs(argument): pass

class Names:
    Pairs = Pairs
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "my_tokens.py").write_text(PLUGIN)
    (tmp_path / "broken_tokens.py").write_text("import nothing_of_that_name\n")
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_tokens", None)


@pytest.mark.parametrize(
    "name",
    [
        *("my_tokens:Pairs", "my_tokens.Pairs", "my_tokens:pairs", "my_tokens:ready"),
        "my_tokens:Names.Pairs",
    ],
)
def test_tokenizer_of_the_user(plugin, name):
    path = list(sys.path)
    tokenizer = make_tokenizer(name)
    assert sys.path == path
    assert tokenizer.name == name
    assert tokenizer.tokenize("abcde") == ["ab", "cd", "e"]
    assert tokenizer.detokenize(["ab", "c"]) == "abc"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_tokenz:Pairs", "cannot import 'my_tokenz': ModuleNotFoundError"),
        ("broken_tokens:Pairs", "nothing_of_that_name"),
        ("my_tokens:Pair", "has no 'Pair'.*did you mean 'Pairs'"),
        ("my_tokens:number", "neither a tokenizer nor"),
        ("my_tokens:Half", "Half has no method 'detokenize'"),
        ("my_tokens:needs", "without arguments failed: TypeError"),
    ],
)
def test_tokenizer_of_the_user_that_is_none(plugin, name, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make_tokenizer(name)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_tokens:Sick", "failed: ZeroDivisionError"),
        ("my_tokens:Odd", "gave str, not a list"),
        ("my_tokens:Empty", "gave the token ''"),
    ],
)
def test_answers_of_the_user_are_checked(plugin, name, message):
    with pytest.raises(DataError, match=f"tokenizer {name}.*{message}"):
        make_tokenizer(name).tokenize("abc")


def test_text_of_the_user_is_checked(plugin):
    with pytest.raises(DataError, match="detokenize gave NoneType, not str"):
        make_tokenizer("my_tokens:Sick").detokenize(["a"])


def test_user_tokenizer_copies_the_list():
    class Same:
        kept = ["a"]

        def tokenize(self, text):
            return self.kept

        def detokenize(self, tokens):
            return ""

    UserTokenizer("same", Same()).tokenize("").append("b")
    assert Same.kept == ["a"]


def test_tokenizer_file_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DataError, match="--tokenizer: there is no file path/to/tokenizer.json"):
        make_tokenizer("path/to/tokenizer.json", "--tokenizer")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(MissingExtraError, match=r"pip install 'seqgan-toolkit\[lm\]'"):
        make_tokenizer(str(tmp_path / "tokenizer.json"))


def test_tokenizer_file(tmp_path):
    library = pytest.importorskip("tokenizers", reason="the package tokenizers is optional")
    inner = library.Tokenizer(library.models.WordLevel({"a": 0, "b": 1, "[UNK]": 2}, "[UNK]"))
    inner.pre_tokenizer = library.pre_tokenizers.Whitespace()
    inner.enable_padding(length=7)
    inner.enable_truncation(1)
    path = str(tmp_path / "tokenizer.json")
    inner.save(path)
    tokenizer = make_tokenizer(path)
    assert tokenizer.name == path
    assert tokenizer.tokenize("b a c") == ["b", "a", "<unk>"]
    assert tokenizer.detokenize(["b", "a", "<unk>"]) == "b a <unk>"


def test_tokenizer_file_that_is_none(tmp_path):
    pytest.importorskip("tokenizers", reason="the package tokenizers is optional")
    with pytest.raises(DataError, match="there is no file"):
        make_tokenizer(str(tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(DataError, match="holds no tokenizer"):
        make_tokenizer(str(tmp_path / "bad.json"))


def test_byte_level_tokenizer_file(tmp_path):
    library = pytest.importorskip("tokenizers", reason="the package tokenizers is optional")
    inner = library.ByteLevelBPETokenizer()
    inner.train_from_iterator(["the cat sat on the mat"] * 3, vocab_size=280)
    path = os.fspath(tmp_path / "tokenizer.json")
    inner.save(path)
    tokenizer = make_tokenizer(path)
    text = "the cat é 漢"
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == text


def test_unknown_token_of_a_unigram_file(tmp_path):
    library = pytest.importorskip("tokenizers", reason="the package tokenizers is optional")
    inner = library.Tokenizer(library.models.Unigram([("?", 0.0), ("a", -1.0)], 0))
    path = os.fspath(tmp_path / "tokenizer.json")
    inner.save(path)
    assert make_tokenizer(path).tokenize("aba") == ["a", "<unk>", "a"]
