"""Data files that suites make out of others before a cell: splits by family, molecules.

A function takes the suite's files and a folder, and returns a path for each role of the data. The
same files always give the same splits, so all seeds share a test set.
``python -m benchmarks.prepared smiles PATH`` writes the molecules of `smiles`;
``python -m benchmarks.prepared families FILE`` tells how a file of captions is split, and what
share of the held-out captions' 4-grams the training captions hold.
"""

from __future__ import annotations

import gzip
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from seqgan.errors import DataError, MissingExtraError, SeqganError

__all__ = [
    "families", "organ", "overlap", "smiles", "training_molecules", "written_molecules",
    "written_smiles",
]  # fmt: skip

Paths = dict[str, Path]

RARE = 0.03
"""A word in at most this share of the captions is a content word."""
ALIKE = 0.3
"""Captions whose content words have this cosine, weighted by rarity, may be of one family."""
LARGEST = 100
"""Captions of a family at most: without a limit, common subjects chain all captions together."""
MOST_SHARED = 0.2
"""Share of the held-out captions' 4-grams that training captions may hold."""
STEPS = (1.01, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3)
"""Cosines from which training captions are left out, tried in this order."""
VALIDATION, TEST = 600, 1_200


def families(paths: Paths, folder: Path) -> dict[str, str]:
    """Captions, split such that those of one picture are on one side.

    Captions with common content words form families, most alike first. Whole families, at random,
    are the validation and test captions. Training captions that are still near one of them are left
    out, the nearest first, until the held-out captions share at most 20% of their 4-grams with the
    others.
    """
    (path,) = paths.values()
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    words = [line.split() for line in lines]
    pairs = _alike(words)
    family = _joined(len(lines), pairs)
    split = _drawn(family, (VALIDATION, TEST))
    held = [row for part in split[:2] for row in part]
    near: dict[int, float] = defaultdict(float)
    outside = set(held)
    for cosine, one, other in pairs:
        if (one in outside) != (other in outside):
            mine = other if one in outside else one
            near[mine] = max(near[mine], cosine)
    train = split[2]
    for level in STEPS:
        train = [row for row in split[2] if near[row] < level]
        if _shared(words, train, held) <= MOST_SHARED:
            break
    else:
        raise DataError(
            f"{path}: no split into families brings the shared 4-grams to {MOST_SHARED:.0%} or less"
        )
    chosen = {"validation_data": split[0], "test_data": split[1], "data": train}
    return {
        role: _written(folder / f"{role}.txt", (lines[row] for row in sorted(rows)))
        for role, rows in chosen.items()
    }


def overlap(path: Path) -> str:
    """The split of a file of captions in a sentence, beside one at random.

    The share of 4-grams is counted from the files that the split writes.

    Args:
        path: the captions, one per line.
    """
    roles = ("data", "validation_data", "test_data")
    with TemporaryDirectory() as folder:
        made = families({"captions": path}, Path(folder))
        parts = [Path(made[role]).read_text(encoding="utf-8").splitlines() for role in roles]
    counts = [len(part) for part in parts]
    kept = [line.split() for part in parts for line in part]
    whole = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    order = random.Random(0).sample(range(len(whole)), len(whole))
    held = sum(counts[1:])
    by_family = _shared(kept, range(counts[0]), range(counts[0], len(kept)))
    at_random = _shared(whole, order[held:], order[:held])
    return (
        f"{path.name}: {counts[0]:,} training, {counts[1]:,} validation and {counts[2]:,} test "
        f"captions; {by_family:.1%} of the 4-grams of the last two are in the first (all "
        f"{len(whole):,} captions split at random: {at_random:.1%})"
    )


def _alike(words: list[list[str]]) -> list[tuple[float, int, int]]:
    """Pairs of captions whose cosine is at least `ALIKE`, largest first."""
    count = len(words)
    found = Counter(word for row in words for word in set(row))
    weight = {word: math.log(count / times) ** 2 for word, times in found.items()}
    content = [sorted({w for w in row if found[w] <= RARE * count}) for row in words]
    length = [math.sqrt(sum(weight[w] for w in row)) or 1.0 for row in content]
    earlier: dict[str, list[int]] = defaultdict(list)
    pairs = []
    for row, mine in enumerate(content):
        common: dict[int, float] = defaultdict(float)
        for word in mine:
            for other in earlier[word]:
                common[other] += weight[word]
            earlier[word].append(row)
        for other, total in common.items():
            cosine = total / (length[row] * length[other])
            if cosine >= ALIKE:
                pairs.append((cosine, other, row))
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))


def _joined(count: int, pairs: Iterable[tuple[float, int, int]]) -> list[int]:
    """The family of each caption."""
    parent, size = list(range(count)), [1] * count

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for _, one, other in pairs:
        a, b = root(one), root(other)
        if a != b and size[a] + size[b] <= LARGEST:
            parent[a] = b
            size[b] += size[a]
    return [root(row) for row in range(count)]


def _drawn(family: list[int], sizes: Sequence[int]) -> list[list[int]]:
    """Rows of parts of at least these sizes, by whole families at random, and of the rest."""
    members: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(family):
        members[number].append(row)
    order = sorted(members)
    random.Random(0).shuffle(order)
    parts: list[list[int]] = [[] for _ in (*sizes, 0)]
    place = 0
    for number in order:
        while place < len(sizes) and len(parts[place]) >= sizes[place]:
            place += 1
        parts[place] += members[number]
    return parts


def _shared(words: list[list[str]], train: Iterable[int], held: Iterable[int]) -> float:
    """Share of the held-out rows' 4-grams that are in the training rows."""

    def grams(row: int) -> set[tuple[str, ...]]:
        return {tuple(words[row][i : i + 4]) for i in range(len(words[row]) - 3)}

    known = set().union(*(grams(row) for row in train))
    asked = [gram for row in held for gram in grams(row)]
    return sum(gram in known for gram in asked) / max(1, len(asked))


MOLECULES = 10_000


def smiles(paths: Paths, folder: Path) -> dict[str, str]:
    """Molecules as SMILES: 10,000 of MOSES's training set, at random."""
    return {"data": _written(folder / "smiles.txt", _molecules())}


def written_smiles(path: Path) -> None:
    """Writes the molecules of `smiles`, one per line."""
    _written(path, _molecules())


def organ(paths: Paths, folder: Path) -> dict[str, str]:
    """Half as many of the same molecules, as many as ORGAN was trained on."""
    return {"data": written_molecules(folder / "molecules.smi", MOLECULES // 2)}


def written_molecules(path: Path, count: int) -> str:
    """Writes the first `count` of the same molecules, one per line; returns the path."""
    return _written(path, _molecules()[:count])


def training_molecules() -> Path:
    """MOSES's training set, out of the installed package; 1.58 million molecules.

    Raises:
        MissingExtraError: the package `molsets` is not installed.
    """
    found = find_spec("moses")
    place = None if found is None or found.origin is None else Path(found.origin).parent
    path = None if place is None else place / "dataset" / "data" / "train.csv.gz"
    if path is None or not path.is_file():
        raise MissingExtraError("molsets", None, "the suite smiles")
    return path


def _molecules() -> list[str]:
    with gzip.open(training_molecules(), "rt", encoding="utf-8") as file:
        lines = [line.split(",")[0].strip() for line in islice(file, 1, None)]
    return random.Random(0).sample(lines, MOLECULES)


def _written(path: Path, lines: Iterable[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def main(arguments: list[str]) -> int:
    """The command; returns the exit code."""
    commands = {"smiles": written_smiles, "families": lambda path: print(overlap(path))}
    if len(arguments) != 2 or arguments[0] not in commands:
        print("python -m benchmarks.prepared smiles PATH, or families FILE", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]](Path(arguments[1]))
    except (OSError, UnicodeDecodeError, SeqganError) as error:
        print(f"benchmarks.prepared: error: {arguments[1]}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
