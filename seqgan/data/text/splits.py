"""Dividing the sequences of one file so that no sequence stands on two sides."""

from __future__ import annotations

import numpy as np

from ...errors import ConfigError, DataError
from .table import Int64, UInt64, mix

__all__ = ["LEAST", "SPLITS", "shuffled", "split_rows"]

SPLITS = ("train", "validation", "heldout", "test")
LEAST = {"train": 2, "validation": 2, "heldout": 4, "test": 2}
"""The fewest sequences that a split can be used with; the held-out ones are halved."""


def split_rows(
    keys: UInt64, shares: dict[str, float], *, contiguous: bool, seed: int, source: str
) -> dict[str, Int64]:
    """Assignment of a file's sequences to splits.

    The **distinct** sequences are divided, and all copies of one go with it. So the shares are
    exact, up to rounding, for the distinct sequences; of all sequences a split has its share only
    on average, more where it drew one that is often repeated. A split whose share is smaller than
    what it can be used with gets `LEAST` sequences.

    Args:
        keys: uint64 [B], equal for equal sequences.
        shares: the share of each split but ``train``, which has the rest; a split that is not
            named gets nothing.
        contiguous: the distinct sequences are taken in the order of their first appearance, the
            training split first, then validation, heldout and test; otherwise they are shuffled.
        seed: of the shuffle (see `shuffled`).
        source: the file and how many lines it has, for messages: "a.txt: 500 lines".

    Returns:
        int64 rows of each split in ascending order; together all B, each once.

    Raises:
        ConfigError: the shares leave nothing to train on.
        DataError: the file has too few distinct sequences for the splits that have a share.
    """
    if sum(shares.values()) >= 1:
        asked = " + ".join(f"--corpus.{name}_share {share}" for name, share in shares.items())
        raise ConfigError(f"{asked} leaves nothing to train on: together they must stay below 1")
    _, first, group_of = np.unique(keys, return_index=True, return_inverse=True)
    count = len(first)
    order = np.argsort(first)  # groups by first appearance
    if not contiguous:
        order = order[shuffled(count, seed)]
    sizes = {
        name: max(LEAST[name], round(share * count))
        for name in SPLITS[1:]
        if (share := shares.get(name, 0)) > 0
    }
    if count - sum(sizes.values()) < LEAST["train"]:
        raise DataError(_too_few(source, count, sizes))
    sizes = {name: sizes.get(name, 0) for name in SPLITS}
    sizes["train"] = count - sum(sizes.values())
    bounds = np.cumsum(list(sizes.values()))
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    split_of = np.searchsorted(bounds, place[group_of.reshape(-1)], side="right")
    return {name: np.nonzero(split_of == i)[0] for i, name in enumerate(SPLITS)}


def shuffled(count: int, seed: int) -> Int64:
    """The numbers 0 .. count - 1 in an order that `seed` fixes, with every release of numpy.

    A run that is resumed with newer libraries must find its splits as they were.
    """
    salt = mix(np.array([seed % 2**64], dtype=np.uint64))
    return np.argsort(mix(np.arange(count, dtype=np.uint64) ^ salt), kind="stable")


def _too_few(source: str, count: int, sizes: dict[str, int]) -> str:
    """The message for a file that is too small for its splits."""
    uses = {"validation": "for validation", "heldout": "held out", "test": "to test"}
    needed = {name: LEAST[name] for name in ("train", *sizes)}
    if count >= sum(needed.values()):
        taken = ", ".join(f"{size:,} {uses[name]}" for name, size in sizes.items())
        return (
            f"{source}, {count:,} distinct: these shares ({taken}) leave fewer than 2 to train on; "
            "lower --corpus.validation_share, --corpus.heldout_share or --corpus.test_share"
        )
    parts = ", ".join(f"{needed[name]} {uses[name]}" for name in sizes)
    own = [f"--{name}_data FILE" for name in ("validation", "test") if name in sizes]
    ways = f", or files of their own ({', '.join(own)})" if own else ""
    return (
        f"{source}, {count:,} distinct: {sum(needed.values())} distinct ones are the fewest that "
        f"can be used (2 to train on{', ' * bool(parts)}{parts}); give more data{ways}"
    )
