"""Pictures as tokens: the idx format, splits, labels, the codec and its grid."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from rollout import Sequences
from seqgan.config import FileCorpus, PictureCorpus
from seqgan.data.codec import load_codec, save_codec
from seqgan.data.idx import read_idx
from seqgan.data.picture_codec import PictureCodec
from seqgan.data.sources import load_data
from seqgan.errors import CheckpointError, DataError


def idx(array) -> bytes:
    """An array as the idx format has it."""
    values = np.asarray(array, dtype=np.uint8)
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + (
        values.tobytes()
    )  # fmt: skip


def mnist(folder, pictures, labels=None, split="train"):
    """Files as MNIST calls them."""
    place = folder / f"{split}-images-idx3-ubyte.gz"
    place.write_bytes(gzip.compress(idx(pictures)))
    if labels is not None:
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return str(place)


@pytest.fixture
def many(tmp_path):
    """Sixty pictures of 4 x 6 pixels; the first pixel of each is its number, three labels."""
    pytest.importorskip("sklearn")
    pictures = np.zeros((60, 4, 6), dtype=np.uint8)
    pictures[:, 0, 0] = np.arange(60) * 4
    return mnist(tmp_path, pictures, np.arange(60) % 3)


def test_idx_by_hand(tmp_path):
    place = tmp_path / "two.idx"
    place.write_bytes(b"\0\0\x08\x03" + b"\0\0\0\2" + b"\0\0\0\1" + b"\0\0\0\3" + b"abcdef")
    found = read_idx(str(place), 3)
    assert found.tolist() == [[[97, 98, 99]], [[100, 101, 102]]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no idx file"),
        (b"GIF89a, no idx file at all", "no idx file"),
        (idx([[1, 2]]), "no idx file of unsigned bytes with 3 dimensions"),
        (idx(np.zeros((2, 2, 2)))[:-1], "holds 7 numbers, and its head says 2 x 2 x 2"),
        (idx(np.zeros((2, 2, 2))) + b"x", "holds 9 numbers"),
        (idx(np.zeros((0, 2, 2))), "holds no pictures"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, message):
    place = tmp_path / "bad.idx"
    place.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_data(str(place), PictureCorpus())


def test_a_damaged_archive_is_refused(tmp_path):
    place = tmp_path / "bad-images-idx3-ubyte.gz"
    place.write_bytes(gzip.compress(idx(np.zeros((9, 9, 9))))[:-12])
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_data(str(place), PictureCorpus())


def test_grey_levels_and_squares_by_hand(tmp_path):
    # Means of the squares: 0, 255, 127.5, 85; of 4 levels 85 grey values apart.
    picture = [[0, 0, 255, 255], [0, 0, 255, 255], [255, 0, 85, 85], [255, 0, 85, 85]]
    others = np.random.default_rng(0).integers(256, size=(40, 4, 4))
    data = load_data(mnist(tmp_path, [picture, *others]), PictureCorpus(levels=4, shrink=2))
    splits = (data.train, data.validation, data.heldout, data.test)
    assert [0, 3, 2, 1] in torch.cat([split.tokens for split in splits]).tolist()
    assert data.spec.vocab_size == 5 and data.spec.max_length == 4
    assert data.spec.eos_id is None and data.spec.forbidden == (4,)


def test_shrinking_must_divide(tmp_path):
    place = mnist(tmp_path, np.zeros((20, 4, 4)))
    with pytest.raises(DataError, match="--corpus.shrink: 3 does not divide the 4 x 4"):
        load_data(place, PictureCorpus(shrink=3))


def test_splits_are_disjoint_and_labels_go_with_their_pictures(many):
    data = load_data(many, PictureCorpus(levels=256, label=True), seed=5)
    numbers = []
    for name in ("train", "validation", "heldout", "test"):
        split = getattr(data, name)
        of = split.tokens[:, 0] // 4
        assert torch.equal(data.labels[name], of % 3)
        assert torch.equal(split.condition["label"], of % 3)
        numbers += of.tolist()
    assert sorted(numbers) == list(range(60)) and data.spec.labels == 3


def test_copies_stay_on_one_side(tmp_path):
    pictures = np.repeat(np.arange(30), 2)[:, None, None] * np.ones((1, 2, 2))
    data = load_data(mnist(tmp_path, pictures), PictureCorpus(levels=256))
    found = [
        set(getattr(data, name).tokens[:, 0].tolist())
        for name in ("train", "validation", "heldout", "test")
    ]
    assert sum(map(len, found)) == 30 and data.report["splits"]["test"]["shared"] == 0


def test_test_pictures_of_their_own(many, tmp_path):
    test = mnist(tmp_path, np.full((7, 4, 6), 3), np.zeros(7), split="t10k")
    data = load_data(many, PictureCorpus(levels=256), test_data=test)
    assert len(data.test) == 7 and data.test.tokens.unique().tolist() == [3]
    other = mnist(tmp_path, np.zeros((7, 4, 4)), split="other")
    with pytest.raises(DataError, match="pictures of 4 x 4 pixels, those of .* have 4 x 6"):
        load_data(many, PictureCorpus(), test_data=other)


def test_a_split_that_is_too_small_is_said_before_anything_is_shown(many, tmp_path, capsys):
    from seqgan.cli.main import main

    test = mnist(tmp_path, np.zeros((1, 4, 6)), np.zeros(1), split="t10k")
    assert main(["data", many, "--corpus.levels", "256", "--test_data", test]) == 2
    printed = capsys.readouterr()
    assert "1 test sequences (2 are needed)" in printed.err and not printed.out


def test_labels_that_are_missing_or_do_not_fit(tmp_path):
    place = mnist(tmp_path, np.arange(60)[:, None, None] * np.ones((1, 2, 2)))
    data = load_data(place, PictureCorpus(levels=256))
    assert not data.labels and "no labels" in data.report_lines[-1]
    with pytest.raises(DataError, match="--corpus.label: a file of pictures has no labels"):
        load_data(place, PictureCorpus(levels=256, label=True))
    pytest.importorskip("sklearn")
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([1, 2])))
    with pytest.raises(DataError, match="2 labels for 60 pictures"):
        load_data(place, PictureCorpus(levels=256))


def test_labels_have_the_names_that_the_files_give_them(tmp_path):
    pytest.importorskip("sklearn")
    pictures = np.zeros((60, 2, 2), dtype=np.uint8)
    pictures[:, 0, 0] = np.arange(60)
    place = mnist(tmp_path, pictures, np.where(np.arange(60) % 2, 7, 3))
    data = load_data(place, PictureCorpus(levels=256, label=True), seed=5)
    assert data.conditions.labels == ("3", "7") and data.spec.labels == 2
    assert torch.equal(data.test.condition["label"], data.test.tokens[:, 0] % 2)
    assert torch.equal(data.labels["test"], data.test.condition["label"])
    bare = load_data(place, PictureCorpus(levels=256), seed=5)  # no label is asked for
    assert bare.labels["test"].unique().tolist() == [3, 7] and bare.test.condition is None


def test_a_label_that_the_training_pictures_lack_is_refused_at_the_start(many, tmp_path):
    test = mnist(tmp_path, np.full((7, 4, 6), 3), np.full(7, 9), split="t10k")
    with pytest.raises(DataError, match="t10k.*: the test split has the label 9, which the train"):
        load_data(many, PictureCorpus(levels=256, label=True), test_data=test)


def test_the_digits_of_scikit_learn():
    pytest.importorskip("sklearn")
    data = load_data("digits", PictureCorpus())
    sizes = {name: len(getattr(data, name)) for name in ("train", "validation", "heldout", "test")}
    assert sum(sizes.values()) == 1797 and data.spec.max_length == 64
    assert data.spec.vocab_size == 9 and len(data.labels["train"].unique()) == 10


def sequences(*rows):
    tokens = torch.tensor(rows)
    return Sequences(tokens, torch.full((len(rows),), tokens.shape[1]))


def test_text_of_a_picture_comes_back():
    codec = PictureCodec.of(1, 3, 4)
    (line,) = codec.texts(sequences([0, 3, 1]))
    assert line == "0 3 1" and codec.encode(line) == [0, 3, 1]
    with pytest.raises(DataError, match="'4' is not a number"):  # BOS is no grey level
        codec.encode("0 4 1")


def test_a_grid_of_pictures_by_hand(tmp_path):
    codec = PictureCodec.of(1, 2, 3)  # levels 0, 1, 2 are 0, 128, 255
    file = codec.show(sequences([0, 1], [2, 2], [0, 0]), tmp_path / "grid")
    assert file.suffix == ".png"
    pixels = np.asarray(Image.open(file))[::24, ::24]  # 24 screen pixels for each
    assert pixels.tolist() == [
        [255, 255, 255, 255, 255, 255, 255],
        [255, 0, 128, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255, 255],
        [255, 0, 0, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255, 255],
    ]


def test_a_grid_shows_equally_many_of_each_label():
    codec = PictureCodec.of(1, 1, 3, 2)
    labels = torch.tensor([1, 0] * 80)
    many = Sequences(
        labels[:, None] * 2, torch.ones(160, dtype=torch.int64), None, {"label": labels}
    )
    pixels = np.asarray(Image.open(io.BytesIO(codec.picture(many))))[48::96, 48::96]
    assert pixels.tolist() == [[0] * 10] * 5 + [[255] * 10] * 5


def test_a_codec_is_saved_and_refused_if_it_does_not_fit(tmp_path):
    codec = PictureCodec.of(2, 3, 4, 10)
    save_codec(codec, tmp_path)
    found = load_codec(tmp_path, codec.spec)
    assert (found.height, found.width, found.levels) == (2, 3, 4)
    for other in (PictureCodec.of(3, 3, 4), PictureCodec.of(2, 3, 5)):
        with pytest.raises(CheckpointError):
            load_codec(tmp_path, other.spec)


def lines(tmp_path, *rows, name="data.txt"):
    place = tmp_path / name
    place.write_text("".join(f"{row}\n" for row in rows))
    return str(place)


def numbers(count, length=3):
    return [" ".join(str((i >> k) % 4) for k in range(length)) for i in range(count)]


NO_EOS = {"tokenizer": "integers", "eos": False, "min_count": 1, "max_length": 10}


def test_files_without_eos(tmp_path):
    data = load_data(lines(tmp_path, *numbers(32)), FileCorpus(**NO_EOS))
    assert data.spec.eos_id is None and data.spec.max_length == 3
    assert {1, 2} < set(data.spec.forbidden)  # BOS and EOS
    assert (data.train.lengths == 3).all() and not data.train.terminated.any()
    assert data.codec.texts(data.train)[0].count(" ") == 2
    assert data.report["splits"]["train"]["tokens"] == 3 * len(data.train)


def test_files_without_eos_need_one_length(tmp_path):
    place = lines(tmp_path, *numbers(30), "1 2")
    with pytest.raises(DataError, match="line 31: has 2 tokens.* have 3: --corpus.eos false needs"):
        load_data(place, FileCorpus(**NO_EOS))
    test = lines(tmp_path, *numbers(8, 4), name="test.txt")
    with pytest.raises(DataError, match="one length; their tokens are 3 in .* 4 in"):
        load_data(lines(tmp_path, *numbers(32)), FileCorpus(**NO_EOS), test_data=test)


def test_the_length_limit_counts_no_eos_where_there_is_none(tmp_path):
    settings = {**NO_EOS, "max_length": 3, "too_long": "error"}
    assert load_data(lines(tmp_path, *numbers(32)), FileCorpus(**settings)).spec.max_length == 3
    with pytest.raises(DataError, match="has 4 tokens"):
        load_data(lines(tmp_path, *numbers(32)), FileCorpus(**{**settings, "eos": True}))
