import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from seqgan.config import FileCorpus
from seqgan.data.text.corpus import corpus_from_lines, load_corpus
from seqgan.data.text.splits import SPLITS, shuffled, split_rows
from seqgan.data.text.table import mix
from seqgan.data.text.vocabulary import Vocabulary
from seqgan.errors import ConfigError, DataError

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def config(**changes):
    defaults = {"tokenizer": "spaces", "min_count": 1, "max_length": 10}
    return FileCorpus(**{**defaults, **changes})


def alone(**changes):
    """Settings under which all sequences of the first file are training sequences."""
    return config(validation_share=0, heldout_share=0, test_share=0, **changes)


@pytest.fixture
def write(tmp_path):
    def write(name, *lines):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write


def numbered(count):
    return [f"line {i} of many" for i in range(count)]


def test_ids_lengths_and_padding(write):
    corpus = load_corpus(write("a.txt", "b a a", "c", "a b"), alone())
    assert corpus.vocabulary.tokens[4:] == ("a", "b", "c")
    assert corpus.train.tokens.dtype == torch.int64
    assert corpus.train.tokens.tolist() == [[5, 4, 4, 2], [6, 2, 0, 0], [4, 5, 2, 0]]
    assert corpus.train.lengths.tolist() == [4, 2, 3]
    assert corpus.train.terminated.tolist() == [True, True, True]
    assert corpus.train.device.type == "cpu"
    assert len(corpus.validation) == len(corpus.heldout) == len(corpus.test) == 0
    assert corpus.source_names == dict.fromkeys(SPLITS, corpus.source_names["train"])


def test_four_splits(write):
    corpus = load_corpus(write("a.txt", *numbered(100)), config())
    assert [len(corpus.split(name)) for name in SPLITS] == [80, 5, 5, 10]
    lines = [text for name in SPLITS for text in corpus.texts(corpus.split(name))]
    originals = [" ".join(tokens) for name in SPLITS for tokens in corpus.original_tokens(name)]
    assert sorted(originals) == sorted(numbered(100))
    assert len([line for line in lines if "<unk>" in line]) == 20  # numbers outside the training
    with pytest.raises(ValueError, match="no split 'valid'"):
        corpus.split("valid")


def test_contiguous_split(write):
    corpus = load_corpus(write("a.txt", *numbered(20)), config(split="contiguous", test_share=0.2,
                         heldout_share=0.1, validation_share=0.1))  # fmt: skip
    numbers = {name: [int(t[1]) for t in corpus.original_tokens(name)] for name in SPLITS}
    assert numbers == {
        "train": list(range(10)),
        "validation": [10, 11],
        "heldout": [12, 13, 14, 15],  # a tenth of 20 would be fewer than can be used
        "test": [16, 17, 18, 19],
    }


def test_random_split_is_seeded(write):
    path = write("a.txt", *numbered(100))
    first, again, other = (load_corpus(path, config(), seed=s) for s in (3, 3, 4))
    assert torch.equal(first.test.tokens, again.test.tokens)
    assert first.original_tokens("test") == again.original_tokens("test")
    assert first.original_tokens("test") != other.original_tokens("test")


def test_shuffle_is_the_same_everywhere():
    assert shuffled(10, 0).tolist() == [1, 4, 5, 7, 6, 9, 0, 3, 2, 8]
    assert shuffled(10, 1).tolist() == [8, 6, 9, 0, 7, 3, 5, 2, 4, 1]
    assert sorted(shuffled(1000, -5).tolist()) == list(range(1000))


def test_mix_is_split_mix():
    # The first numbers of the published generator from the seeds 0 and 1234567.
    found = mix(np.array([0, 1234567], dtype=np.uint64)).tolist()
    assert found == [0xE220A8397B1DCDAF, 6457827717110365317]


@given(
    lines=st.lists(
        st.sampled_from([f"the {x}" for x in "a b c d e f g h i j k l".split()]),
        min_size=30,
        max_size=60,
    ),
    seed=st.integers(0, 2**40),
    contiguous=st.booleans(),
)
@settings(max_examples=50)
def test_splits_share_no_sequence(lines, seed, contiguous):
    chosen = config(
        split="contiguous" if contiguous else "random",
        validation_share=0.2,
        heldout_share=0.2,
        test_share=0.2,
    )
    try:
        corpus = corpus_from_lines(lines, chosen, seed=seed)
    except DataError:  # too little; if that were always so, the test would fail
        reject()
    found = [set(map(tuple, corpus.original_tokens(name))) for name in SPLITS]
    assert sum(map(len, found)) == len(set(lines))
    assert set().union(*found) == {tuple(line.split()) for line in lines}
    assert sum(len(corpus.split(name)) for name in SPLITS) == len(lines)
    for name, tokens in zip(SPLITS, found, strict=True):
        report = corpus.report.splits[name]
        assert report.distinct == len(tokens)
        assert report.shared == (len(corpus.train) if name == "train" else 0)


def test_copies_go_together_and_shares_count_distinct_sequences():
    keys = np.array([7, 8, 7, 9, 9, 10, 7], dtype=np.uint64)
    rows = split_rows(keys, {"test": 0.5}, contiguous=True, seed=0, source="f")
    assert {name: found.tolist() for name, found in rows.items()} == {
        "train": [0, 1, 2, 6],
        "validation": [],
        "heldout": [],
        "test": [3, 4, 5],
    }


@pytest.mark.parametrize(
    ("count", "changes", "message"),
    [
        (1, {}, "a.txt: 1 line, 1 distinct: 10 distinct ones are the fewest that can be used"),
        (9, {}, "9 lines, 9 distinct: 10 distinct .*2 to train on, 2 for validation, 4 held out"),
        (9, {}, "give more data, or files of their own .--validation_data FILE, --test_data FILE"),
        (3, {"validation_share": 0, "heldout_share": 0}, r"3 distinct: 4 .*\(--test_data FILE\)$"),
        (10, {"validation_share": 0.5, "test_share": 0.4}, "these shares .5 for validation, "
         "4 held out, 4 to test. leave fewer than 2 to train on; lower --corpus.validation_share"),
    ],
)  # fmt: skip
def test_too_few_sequences(write, count, changes, message):
    path = write("a.txt", *numbered(count))
    with pytest.raises(DataError, match=message) as caught:
        load_corpus(path, config(**changes))
    assert path in str(caught.value)


def test_the_smallest_file_is_split_so_that_each_split_can_be_used(write):
    corpus = load_corpus(write("a.txt", *numbered(10)), config())
    assert [len(corpus.split(name)) for name in SPLITS] == [2, 2, 4, 2]


def test_one_sequence_many_times(write):
    with pytest.raises(DataError, match="a.txt: 500 lines, 1 distinct: 10 distinct ones"):
        load_corpus(write("a.txt", *["same"] * 500), config())


def test_one_message_names_all_that_is_wrong(write):
    path = write("a.txt", "", "a b", "c", " ".join("defghijklmnop"), "q r")
    with pytest.raises(DataError) as caught:
        load_corpus(path, config(min_count=3), test_path=write("b.txt", "x"))
    message = str(caught.value)
    assert "a.txt: 5 lines (1 empty, 1 too long), 3 distinct: 8 distinct ones" in message
    assert "b.txt: 1 line; the test split needs 2" in message
    assert "no token of" in message and "occurs 3 times, as often as --corpus.min_count" in message


def test_shares_that_leave_nothing(write):
    with pytest.raises(ConfigError, match="--corpus.validation_share 0.5 .* nothing to train on"):
        load_corpus(write("a.txt", *numbered(50)), config(validation_share=0.5, test_share=0.45))


def test_vocabulary_comes_from_the_training_split_alone(write):
    path = write("a.txt", *numbered(20))
    corpus = load_corpus(path, config(split="contiguous", validation_share=0.1, heldout_share=0.1))
    assert "line" in corpus.vocabulary and "0" in corpus.vocabulary
    assert "19" not in corpus.vocabulary
    assert corpus.tokens("test") == [["line", "<unk>", "of", "many"]] * 2
    assert corpus.report.splits["test"].unknown == 2
    assert corpus.report.splits["test"].unknown_share == 0.25


def test_vocabulary_limits_and_a_given_vocabulary(write):
    path = write("a.txt", "a a b", "a b c")
    many = write("many.txt", "a a b c", "a b c d", "d e f")
    assert load_corpus(many, alone(max_vocabulary=4)).vocabulary.tokens[4:] == ("a", "b", "c", "d")
    for fewer in (1, 2, 3):  # than the special tokens
        with pytest.raises(ConfigError, match=f"max_vocabulary: {fewer} is fewer than"):
            alone(max_vocabulary=fewer)
    assert load_corpus(path, alone(min_count=2)).vocabulary.tokens[4:] == ("a", "b")
    with pytest.raises(DataError, match="occurs 4 times, as often as --corpus.min_count asks"):
        load_corpus(path, alone(min_count=4))
    given = Vocabulary.from_list(["z", "c"])
    corpus = load_corpus(path, alone(), vocabulary=given)
    assert corpus.vocabulary is given
    assert corpus.train.tokens.tolist() == [[3, 3, 3, 2], [3, 3, 5, 2]]


def test_words_like_special_tokens(write):
    corpus = load_corpus(write("a.txt", "a <eos> b", "<unk> <pad>"), alone())
    assert corpus.vocabulary.tokens[4:] == ("a", "b")
    assert corpus.train.tokens.tolist() == [[4, 3, 5, 2], [3, 3, 2, 0]]
    assert corpus.report.files[0].special_words == 3
    assert "3 words like '<unk>' or '<eos>' (read as <unk>)" in "\n".join(corpus.report.lines())


TOO_LONG = ("a b c", "a b c d", "a", "a b c d e f")


def test_long_sequences_left_out(write):
    corpus = load_corpus(write("a.txt", *TOO_LONG), alone(max_length=4))
    assert corpus.train.lengths.tolist() == [4, 2]  # max_length counts EOS
    assert corpus.train.terminated.tolist() == [True, True]
    file = corpus.report.files[0]
    assert (file.lines, file.sequences, file.too_long, file.longest) == (4, 2, 2, 7)
    assert file.too_long_action == "drop"
    assert "2 too long (left out; the longest has 7)" in corpus.report.lines()[1]
    assert "2 of 4 lines" in corpus.report.warnings[0]
    assert "--corpus.max_length 7 would keep 99%" in corpus.report.warnings[0]


def test_long_sequences_cut(write):
    corpus = load_corpus(write("a.txt", *TOO_LONG), alone(max_length=4, too_long="truncate"))
    assert corpus.train.tokens.tolist() == [
        [4, 5, 6, 2],
        [4, 5, 6, 7],
        [4, 2, 0, 0],
        [4, 5, 6, 7],
    ]
    assert corpus.train.terminated.tolist() == [True, False, True, False]
    assert corpus.train.lengths.tolist() == [4, 4, 2, 4]
    report = corpus.report
    assert report.splits["train"].truncated == 2
    assert report.splits["train"].tokens == 14
    assert report.splits["train"].words == 12  # of what was kept
    assert report.files[0].repeated == 1  # the two are alike once cut
    assert "2 too long (cut; the longest has 7)" in report.lines()[1]


def test_long_sequences_are_an_error(write):
    path = write("a.txt", *TOO_LONG)
    with pytest.raises(DataError, match="a.txt, line 2: has 5 tokens, EOS counted, .* is 4"):
        load_corpus(path, alone(max_length=4, too_long="error"))


def test_empty_sequences(write):
    path = write("a.txt", "a", "", " \t ", "b")
    file = load_corpus(path, alone()).report.files[0]
    assert (file.lines, file.empty, file.sequences) == (4, 2, 2)
    with pytest.raises(DataError, match="a.txt, line 2: is empty"):
        load_corpus(path, alone(empty="error"))


def test_nothing_left(write):
    with pytest.raises(DataError, match="all of its 2 lines are empty"):
        load_corpus(write("a.txt", "", " "), alone())
    with pytest.raises(DataError, match="none of 3 lines is left, 1 being empty and 2 longer than"):
        load_corpus(write("a.txt", "", "a b c", "a b"), alone(max_length=2))


def test_integers_name_the_line(write):
    path = write("a.txt", "1 2", "3 x")
    with pytest.raises(DataError, match="a.txt, line 2: 'x' is not a whole number"):
        load_corpus(path, alone(tokenizer="integers"))
    corpus = load_corpus(write("b.txt", "07 7 -1", "10"), alone(tokenizer="integers"))
    assert corpus.vocabulary.tokens[4:] == ("7", "-1", "10")


def test_training_sequences_can_be_limited(write):
    path = write("a.txt", *numbered(100))
    corpus = load_corpus(path, config(num_train=30))
    assert [len(corpus.split(name)) for name in SPLITS] == [30, 5, 5, 10]
    assert corpus.report.left_out == 50
    assert "50 training sequences left out (num_train)" in corpus.report.lines()
    first = load_corpus(path, config(num_train=30, split="contiguous"))
    assert [int(tokens[1]) for tokens in first.original_tokens("train")] == list(range(30))
    full = load_corpus(path, config())
    assert full.original_tokens("test") == corpus.original_tokens("test")
    more = load_corpus(path, config(num_train=81))
    assert len(more.train) == 80 and more.report.left_out == 0
    assert "all 80 training sequences used (num_train allows 81)" in more.report.lines()
    with pytest.raises(ConfigError, match="--corpus.num_train: 1 is too few to train on"):
        config(num_train=1)


def test_files_of_their_own(write):
    train = write("train.txt", *numbered(40))
    validation = write("validation.txt", "line 1 of many", "new words")
    test = write("test.txt", "line 1 of many", "line 1 of many", "line 2 of many", "x y z")
    corpus = load_corpus(train, config(heldout_share=0.1), test_path=test,
                         validation_path=validation)  # fmt: skip
    assert [len(corpus.split(name)) for name in SPLITS] == [36, 2, 4, 4]
    assert corpus.source_names == {
        "train": train, "validation": validation, "heldout": train, "test": test,
    }  # fmt: skip
    assert [file.path for file in corpus.report.files] == [train, validation, test]
    known = set(map(tuple, corpus.original_tokens("train")))
    expected = sum(tuple(tokens) in known for tokens in corpus.original_tokens("test"))
    report = corpus.report.splits["test"]
    assert expected > 0 and report.shared == expected and report.shared_share == expected / 4
    assert any(f"{expected} of 4 test sequences" in text for text in corpus.report.warnings)


def test_file_of_its_own_needs_two_sequences(write):
    with pytest.raises(DataError, match="test.txt: 1 line; the test split needs 2"):
        load_corpus(write("a.txt", *numbered(40)), config(), test_path=write("test.txt", "a"))


def test_no_test_share_is_taken_where_there_is_a_test_file(write):
    train = write("train.txt", *numbered(40))
    test = write("test.txt", "many a", "b")
    corpus = load_corpus(train, config(test_share=0.5), test_path=test)
    assert [len(corpus.split(name)) for name in SPLITS] == [34, 2, 4, 2]


def test_report_by_hand(write):
    train = write("train.txt", "a b c d e", "a b c d e", "x  y")
    test = write("test.txt", "a b c d z", "b c d e", "q r s t")
    corpus = load_corpus(train, alone(), test_path=test)
    split = corpus.report.splits["test"]
    assert (split.sequences, split.distinct, split.tokens) == (3, 3, 16)
    assert (split.mean_length, split.max_length) == (16 / 3, 6)
    assert (split.unknown, split.unknown_share) == (5, 5 / 13)
    assert (split.words, split.characters) == (13, 9 + 7 + 7)
    # abcd and bcde are in train; bcdz and qrst are not.
    assert split.ngram_overlap == 0.5
    assert split.shared == 0
    train_split = corpus.report.splits["train"]
    assert (train_split.characters, train_split.words) == (9 + 9 + 4, 12)
    assert train_split.most_repeated == 2
    assert corpus.report.files[0].repeated == 1
    assert corpus.report.vocabulary_size == 11


def test_report_is_json_and_text(write):
    for changes in ({}, {"validation_share": 0, "heldout_share": 0, "test_share": 0}):
        report = load_corpus(write("a.txt", *numbered(100)), config(**changes)).report
        content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert content["splits"]["train"]["sequences"] in (80, 100)
        assert content["files"][0]["lines"] == 100
        assert all(isinstance(line, str) and "\n" not in line for line in report.lines())


FAMILIES = [f"a {c} cat {d} sat on {c} mat {d}" for c in "bcdfghjklm" for d in "1 2".split()]


def test_families_are_noticed(write):
    # Nine lines of each family, which differ in their last word; the test file has none of them.
    train = write("a.txt", *(f"{family} {i}" for family in FAMILIES for i in range(9)))
    test = write("b.txt", *(f"one {i} two {i} three {i} four" for i in range(50)))
    corpus = load_corpus(train, config(max_length=20), test_path=test)
    assert corpus.report.splits["validation"].ngram_overlap > 0.7
    assert corpus.report.splits["test"].ngram_overlap == 0
    unknown, few, warning = corpus.report.warnings
    assert few.startswith("9 validation, 9 heldout sequences are too few to tell models apart")
    # of 50 lines of 7 tokens, the training lines hold three numbers of each of nine
    assert f"unknown tokens (<unk>) are {1 - 27 / 350:.1%} of the test split" in unknown
    assert "4-grams with the training split, the test split 0.0%: lines come in families" in warning
    assert "--corpus.split contiguous" in warning and "--validation_data FILE" in warning
    assert corpus.report.lines()[-1] == f"warning: {warning}"
    blocks = load_corpus(train, config(max_length=20, split="contiguous"), test_path=test)
    assert blocks.report.splits["validation"].ngram_overlap < 0.5


def test_one_sequence_that_outweighs_a_split(write):
    lines = [*numbered(38), *["ok"] * 40]
    corpus = load_corpus(write("a.txt", *lines), config(split="contiguous", heldout_share=0,
                         validation_share=0))  # fmt: skip
    assert corpus.report.splits["test"].most_repeated == 40
    assert any("40 of the 43 test sequences are the same" in w for w in corpus.report.warnings)


def test_other_kinds_of_files(tmp_path, write):
    train = write("a.jsonl", *(json.dumps({"text": line}) for line in numbered(40)))
    test = write("b.csv", "id,words", "1,line 1 of many", "2,b")
    corpus = load_corpus(train, config(field="text", column="words"), test_path=test)
    assert corpus.original_tokens("test") == [["line", "1", "of", "many"], ["b"]]
    packed = tmp_path / "c.txt.gz"
    packed.write_bytes(gzip.compress(("\ufeff" + "\r\n".join(numbered(40))).encode()))
    plain = write("c.txt", *numbered(40))
    assert torch.equal(
        load_corpus(packed, config()).train.tokens, load_corpus(plain, config()).train.tokens
    )


def test_settings_that_nothing_reads(write):
    path = write("a.txt", *numbered(40))
    with pytest.raises(
        ConfigError, match="--corpus.field t: no .jsonl or .json file was given, only .*a.txt"
    ):
        load_corpus(path, config(field="t"))
    with pytest.raises(
        ConfigError, match="--corpus.column t: no .csv or .tsv file was given, only .*a.txt"
    ):
        load_corpus(path, config(column="t"))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_any_script_and_blanks(tmp_path, ends):
    lines = ["👍🏽\tשלום  e\u0301", "\u3000漢 字 ", "a\u2028b c"]
    path = tmp_path / "a.txt"
    path.write_bytes(("\ufeff" + ends.join(lines)).encode())
    corpus = load_corpus(path, alone())
    assert corpus.tokens("train") == [["👍🏽", "שלום", "e\u0301"], ["漢", "字"], ["a", "b", "c"]]
    assert corpus.texts(corpus.train) == ["👍🏽 שלום e\u0301", "漢 字", "a b c"]
    chosen = alone(tokenizer="characters", max_length=20)
    corpus = load_corpus(path, chosen)
    assert corpus.texts(corpus.train) == [line.strip() for line in lines]
    assert corpus.report.files[0].stripped == 1
    whole = load_corpus(path, alone(tokenizer="characters", max_length=20, strip=False))
    assert whole.texts(whole.train) == lines and whole.report.files[0].stripped == 0


def test_line_of_a_megabyte(write):
    path = write("a.txt", "word " * 200_000, *numbered(40), "x" * 1_000_000)
    for tokenizer in ("words", "spaces", "characters"):
        corpus = load_corpus(path, config(tokenizer=tokenizer, max_length=20, min_count=1))
        assert corpus.report.files[0].too_long == (2 if tokenizer == "characters" else 1)
        assert corpus.report.files[0].longest >= 200_001


def test_corpus_of_lines_in_memory():
    corpus = corpus_from_lines((line for line in numbered(40)), config(), name="numbers")
    assert [len(corpus.split(name)) for name in SPLITS] == [30, 2, 4, 4]
    assert corpus.source_names["test"] == "numbers"
    with pytest.raises(DataError, match="numbers, line 1: is empty"):
        corpus_from_lines([""], config(empty="error"), name="numbers")


@given(
    lines=st.lists(st.text("ab \t<eos>é", max_size=12), max_size=30).map(
        lambda more: [*more, *(f"a {'b' * number}" for number in range(16))]
    ),
    tokenizer=st.sampled_from(["words", "spaces", "characters"]),
    too_long=st.sampled_from(["truncate", "drop", "error"]),
    max_length=st.integers(1, 9),
)
@settings(max_examples=60)
def test_any_lines(lines, tokenizer, too_long, max_length):
    chosen = config(
        tokenizer=tokenizer,
        too_long=too_long,
        max_length=max_length,
        validation_share=0.2,
        heldout_share=0.2,
        test_share=0.2,
    )
    try:
        corpus = corpus_from_lines(lines, chosen)
    except DataError:  # too little; if that were always so, the test would fail
        reject()
    file = corpus.report.files[0]
    dropped = file.too_long if too_long == "drop" else 0
    kept = sum(len(corpus.split(name)) for name in SPLITS)
    assert len(lines) == file.lines == kept + file.empty + dropped
    for name in SPLITS:
        batch = corpus.split(name)
        assert batch.tokens.shape[1] <= max_length
        for row, ended in zip(batch.to_lists(), batch.terminated.tolist(), strict=True):
            assert (row[-1] == 2) == ended
            assert 2 not in row[:-1] and 0 not in row and 1 not in row


def test_the_work_grows_with_the_number_of_lines_alone(tmp_path):
    path, seconds = tmp_path / "a.txt", []
    for count in (4_000, 40_000):
        lines = (f"a cat number {i % 7919} sat on mat {i}.\n" for i in range(count))
        path.write_text("".join(lines))
        begin = time.process_time()
        corpus = load_corpus(path, FileCorpus())
        seconds.append(time.process_time() - begin)
        assert sum(len(corpus.split(name)) for name in SPLITS) == count
    assert seconds[1] < 40 * seconds[0]  # were it quadratic: 100


def test_coco_captions():
    if not SHARED.is_dir():
        pytest.skip(f"the COCO captions are not at {SHARED}")
    corpus = load_corpus(
        SHARED / "coco_train.txt", FileCorpus(), test_path=SHARED / "coco_test.txt"
    )
    assert [len(corpus.split(name)) for name in SPLITS[2:]] == [500, 10_000]
    assert len(corpus.train) + len(corpus.validation) == 9_500
    assert 0.31 < corpus.report.splits["validation"].ngram_overlap < 0.33
    assert 0.155 < corpus.report.splits["test"].ngram_overlap < 0.17
    assert "lines come in families" in corpus.report.warnings[0]
