"""Pictures as sequences: scikit-learn's digits, or files in MNIST's format."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rollout import Sequences

from ..config import PictureCorpus
from ..errors import DataError, MissingExtraError
from .conditions import Conditions
from .dataset import Dataset
from .idx import read_idx
from .picture_codec import PictureCodec
from .text.splits import SPLITS, shuffled, split_rows

__all__ = ["load_pictures"]

DIGITS = "digits"


class _Pictures(NamedTuple):
    """Pictures of one source.

    Attributes:
        name: of the source, for messages.
        levels: grey levels [n, height, width] from 0.
        labels: int64 [n], or None: unknown.
    """

    name: str
    levels: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None


def load_pictures(
    source: str,
    config: PictureCorpus,
    test_data: str | None,
    validation_data: str | None,
    seed: int,
) -> Dataset:
    """The pictures that `source` names, as a data set.

    Args:
        source: digits, or a file.
        config: grey levels, size, shares.
        test_data: a file with the test pictures.
        validation_data: a file with the validation pictures.
        seed: of the splits.

    Raises:
        DataError: a file cannot be read, or pictures do not fit each other or the settings.
        MissingExtraError: scikit-learn, which the digits come with, is not installed.
    """
    named = {"train": source, "validation": validation_data, "test": test_data}
    found = {split: _read(name, config) for split, name in named.items() if name is not None}
    whole = found["train"]
    height, width = whole.levels.shape[1:]
    for other in found.values():
        if other.levels.shape[1:] != (height, width):
            other_size = " x ".join(map(str, other.levels.shape[1:]))
            raise DataError(
                f"{other.name}: pictures of {other_size} pixels, those of {whole.name} have "
                f"{height} x {width}"
            )
    rows = _rows(whole, set(found), config, seed)
    parts = {name: (found.get(name, whole), rows[name]) for name in SPLITS}
    parts |= {
        name: (each, np.arange(len(each.levels))) for name, each in found.items() if name != "train"
    }
    labels = {
        name: torch.from_numpy(each.labels[chosen])
        for name, (each, chosen) in parts.items()
        if each.labels is not None
    }
    names: tuple[str, ...] = ()
    if config.label:
        names, labels = _numbered(
            source, {name: each.name for name, (each, _) in parts.items()}, labels
        )
    codec = PictureCodec.of(height, width, config.levels, len(names))
    splits = {
        name: _sequences(each.levels[chosen], labels[name] if config.label else None)
        for name, (each, chosen) in parts.items()
    }
    report = _report(splits, codec, labels)
    return Dataset(
        source,
        splits["train"],
        splits["validation"],
        splits["heldout"],
        splits["test"],
        codec,
        lambda name: codec.rows(splits[name]),
        labels=labels,
        conditions=Conditions(names),
        report=report,
        report_lines=_lines(source, report, codec),
    )


def _read(source: str, config: PictureCorpus) -> _Pictures:
    """The pictures of one source with the grey levels asked for."""
    if source == DIGITS and not Path(source).exists():
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise MissingExtraError("scikit-learn", "digits", "--data digits") from error
        digits = load_digits()
        pictures, brightest, labels = digits.images, 16.0, digits.target.astype(np.int64)
    else:
        pictures, brightest = read_idx(source, 3).astype(np.float64), 255.0
        labels = _labels(source, len(pictures))
    count, height, width = pictures.shape
    side = config.shrink
    if not count or not height or not width:
        raise DataError(f"{source}: holds no pictures")
    if height % side or width % side:
        raise DataError(
            f"--corpus.shrink: {side} does not divide the {height} x {width} pixels of {source}"
        )
    if side > 1:
        squares = pictures.reshape(count, height // side, side, width // side, side)
        pictures = squares.mean((2, 4))
    levels = np.rint(pictures * ((config.levels - 1) / brightest)).astype(np.int64)
    return _Pictures(source, levels, labels)


def _labels(path: str, count: int) -> npt.NDArray[np.int64] | None:
    """The labels in the file that MNIST's naming puts beside the pictures; None: there is none."""
    place = Path(path)
    name = re.sub("idx3", "idx1", place.name.replace("images", "labels"), flags=re.I)
    beside = place.with_name(name)
    if beside == place or not beside.is_file():
        return None
    if find_spec("sklearn") is None:  # else the end of a run would miss it
        raise MissingExtraError("scikit-learn", "digits", f"{beside} (labels of pictures)")
    labels = read_idx(str(beside), 1)
    if len(labels) != count:
        raise DataError(f"{beside}: {len(labels):,} labels for {count:,} pictures")
    return labels.astype(np.int64)


def _rows(
    whole: _Pictures, files: set[str], config: PictureCorpus, seed: int
) -> dict[str, npt.NDArray[np.int64]]:
    """The rows of the first source for each split; copies of a picture stay together."""
    flat = whole.levels.reshape(len(whole.levels), -1)
    keys = np.unique(flat, axis=0, return_inverse=True)[1].reshape(-1).astype(np.uint64)
    shares = {name: getattr(config, f"{name}_share") for name in SPLITS[1:] if name not in files}
    source = f"{whole.name}: {len(flat):,} pictures"
    rows = split_rows(keys, shares, contiguous=False, seed=seed, source=source)
    if 0 < config.num_train < len(rows["train"]):
        order = shuffled(len(rows["train"]), seed + 1)[: config.num_train]
        rows["train"] = np.sort(rows["train"][order])
    return rows


def _numbered(
    source: str, files: dict[str, str], labels: dict[str, torch.Tensor]
) -> tuple[tuple[str, ...], dict[str, torch.Tensor]]:
    """The labels of the training pictures by name, and each split's labels as numbers of them.

    Args:
        source: the file to train on.
        files: for each split the file that its pictures are from.
        labels: for each split the labels as the files have them.

    Raises:
        DataError: a split has no labels, or one that the training split lacks.
    """
    if len(labels) < len(SPLITS):
        raise DataError(
            f"--corpus.label: a file of pictures has no labels beside it; MNIST calls that of "
            f"train-images-idx3-ubyte train-labels-idx1-ubyte (of {source} and all others)"
        )
    known = labels["train"].unique()  # sorted
    for split, found in labels.items():
        lacking = found[~torch.isin(found, known)]
        if len(lacking):
            raise DataError(
                f"{files[split]}: the {split} split has the label {int(lacking[0])}, which the "
                "training split lacks; give more data of it, or leave out --corpus.label"
            )
    numbered = {split: torch.searchsorted(known, found) for split, found in labels.items()}
    return tuple(map(str, known.tolist())), numbered


def _sequences(levels: npt.NDArray[np.int64], labels: torch.Tensor | None) -> Sequences:
    """Pictures row by row; none of them has an end of its own."""
    tokens = torch.from_numpy(levels.reshape(len(levels), -1).copy())
    lengths = torch.full((len(tokens),), tokens.shape[1], dtype=torch.int64)
    condition = None if labels is None else {"label": labels}
    return Sequences(tokens, lengths, torch.zeros(len(tokens), dtype=torch.bool), condition)


def _report(
    splits: dict[str, Sequences], codec: PictureCodec, labels: dict[str, torch.Tensor]
) -> dict[str, Any]:
    train = splits["train"].tokens
    distinct = {row.numpy().tobytes() for row in train}
    return {
        "vocabulary_size": codec.spec.vocab_size,
        "max_length": codec.spec.max_length,
        "height": codec.height,
        "width": codec.width,
        "levels": codec.levels,
        "labelled": sorted(labels),
        "splits": {
            name: {
                "sequences": len(split),
                "tokens": int(split.lengths.sum()),
                "shared": sum(row.numpy().tobytes() in distinct for row in split.tokens),
            }
            for name, split in splits.items()
        },
    }


def _lines(source: str, report: dict[str, Any], codec: PictureCodec) -> list[str]:
    sizes = ", ".join(f"{each['sequences']:,} {name}" for name, each in report["splits"].items())
    lines = [
        f"{source}: pictures of {codec.height} x {codec.width} pixels, {codec.levels} grey levels: "
        f"{sizes}"
    ]
    if "train" not in report["labelled"]:
        lines.append(f"{source}: no labels beside it, so no classifier can compare samples with it")
    return lines
