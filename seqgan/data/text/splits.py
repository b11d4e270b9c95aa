"""Dividing the sequences of one file so that no sequence stands on two sides."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ConfigError, DataError
from .table import Int64, UInt64, mix

__all__ = ["SPLITS", "shuffled", "split_rows"]

SPLITS = ("train", "validation", "heldout", "test")


def split_rows(
    keys: UInt64, shares: dict[str, float], *, contiguous: bool, seed: int, source: str
) -> dict[str, Int64]:
    """Which sequences of a file belong to which split.

    The **distinct** sequences are divided, and all copies of one go with it. So the shares are
    exact, up to rounding, for the distinct sequences; of all sequences a split has its share only
    on average, more where it drew one that is often repeated.

    Args:
        keys: uint64 [B], equal for equal sequences.
        shares: the share of each split but ``train``, which has the rest; a split that is not
            named gets nothing.
        contiguous: the distinct sequences are taken in the order of their first appearance, the
            training split first, then validation, heldout and test; otherwise they are shuffled.
        seed: of the shuffle (see `shuffled`).
        source: the file, for messages.

    Returns:
        int64 rows of each split in ascending order; together all B, each once.

    Raises:
        ConfigError: the shares leave nothing to train on.
        DataError: a split would have fewer than two sequences though a share is asked for it.
    """
    if sum(shares.values()) >= 1:
        asked = " + ".join(f"--corpus.{name}_share {share}" for name, share in shares.items())
        raise ConfigError(f"{asked} leaves nothing to train on: together they must stay below 1")
    _, first, group_of = np.unique(keys, return_index=True, return_inverse=True)
    count = len(first)
    order = np.argsort(first)  # groups by first appearance
    if not contiguous:
        order = order[shuffled(count, seed)]
    sizes = {name: round(shares.get(name, 0) * count) for name in SPLITS[1:]}
    sizes = {"train": count - sum(sizes.values()), **sizes}
    bounds = np.cumsum(list(sizes.values()))
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    split_of = np.searchsorted(bounds, place[group_of.reshape(-1)], side="right")
    rows = {name: np.nonzero(split_of == i)[0] for i, name in enumerate(SPLITS)}
    for name in SPLITS:
        if (name == "train" or shares.get(name, 0) > 0) and len(rows[name]) < 2:
            raise DataError(_too_few(name, len(rows[name]), count, shares, source))
    return rows


def shuffled(count: int, seed: int) -> Int64:
    """The numbers 0 .. count - 1 in an order that `seed` fixes, with every release of numpy.

    A run that is resumed with newer libraries must find its splits as they were.
    """
    salt = mix(np.array([seed % 2**64], dtype=np.uint64))
    return np.argsort(mix(np.arange(count, dtype=np.uint64) ^ salt), kind="stable")


def _sequences(count: int) -> str:
    return "1 sequence" if count == 1 else f"{count:,} different sequences"


def _too_few(name: str, found: int, count: int, shares: dict[str, float], source: str) -> str:
    """The message for a split of fewer than two sequences."""
    message = (
        f"{source} has {_sequences(count)}, which leaves {found} for the {name} split; "
        "it needs 2: give more data"
    )
    if name == "train":
        return message + ", or smaller shares to the other splits"
    needed = math.ceil(200 / count) / 100
    ways = f", a larger share (--corpus.{name}_share {needed})" if needed <= 0.5 else ""
    if name != "heldout":
        ways += f", or a file of its own (--{name}_data FILE)"
    return message + ways
