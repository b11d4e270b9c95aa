"""English sentences without a download: the definitions and examples of WordNet.

Debian and Ubuntu carry the files of WordNet 3.0 in the package ``wordnet-base``; NLTK's data has
them as ``corpora/wordnet``. Both are read here by the format of the files, documented in
``wndb(5WN)``: a synset a line, its gloss after a bar, examples in double quotes. NLTK's own
``WordNetCorpusReader`` cannot open Debian's files: they lack its ``lexnames`` and ``index.sense``,
and from 3.10 on it refuses folders outside its data path.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import DataError
from .text.words import Words

__all__ = ["wordnet_definitions", "wordnet_glosses", "wordnet_lines"]

_DEBIAN = Path("/usr/share/wordnet")
_FILES = ("data.adj", "data.adv", "data.noun", "data.verb")
_EXAMPLE = re.compile(r'"([^"]*)"')


def wordnet_lines(
    root: str | os.PathLike[str] | None = None,
    *,
    most_frequent: int = 5_000,
    shortest: int = 5,
    longest: int = 32,
) -> list[str]:
    """Definitions and examples in common words, in lower case, each once.

    With the defaults WordNet 3.0 gives 28,764 lines.

    Args:
        root: the folder or zip file with WordNet's files; None looks where Debian and NLTK keep
            them.
        most_frequent: only lines whose every token (NLTK's words) is among that many are kept.
        shortest: fewest tokens of a line, EOS not counted.
        longest: most tokens of a line, EOS not counted.

    Raises:
        DataError: WordNet is not there, or not readable.
    """
    words = Words()
    texts = dict.fromkeys(text.lower() for text in wordnet_glosses(root))
    counts = Counter(token for text in texts for token in words.tokenize(text))
    common = {token for token, _ in counts.most_common(most_frequent)}
    return [text for text in texts if _fits(words.tokenize(text), common, shortest, longest)]


def wordnet_glosses(root: str | os.PathLike[str] | None = None) -> Iterator[str]:
    """Every definition of WordNet, each followed by its examples.

    Args:
        root: as for `wordnet_lines`.

    Raises:
        DataError: as for `wordnet_lines`.
    """
    place = _find() if root is None else Path(root)
    for name in _FILES:
        for definition, examples in _glosses(place, name):
            yield definition
            yield from examples


def _glosses(place: Path, name: str) -> Iterator[tuple[str, list[str]]]:
    """The definitions of a file, each with its examples."""
    for line in _read(place, name).splitlines():
        _, bar, gloss = line.partition("|")
        if line.startswith(" ") or not bar:  # the licence, at the head of each file
            continue
        yield _EXAMPLE.sub("", gloss).strip().strip("; "), _EXAMPLE.findall(gloss)


def wordnet_definitions(
    root: str | os.PathLike[str] | None = None,
    *,
    most_frequent: int = 5_000,
    shortest: int = 5,
    longest: int = 32,
) -> list[tuple[str, str]]:
    """Definitions of nouns and of verbs in common words, each once with its part of speech.

    A definition that stands with both is left out. Arguments and errors as of `wordnet_lines`.
    """
    place, words = _find() if root is None else Path(root), Words()
    of: dict[str, set[str]] = {}
    for kind in ("noun", "verb"):
        for gloss, _ in _glosses(place, f"data.{kind}"):
            of.setdefault(gloss.lower(), set()).add(kind)
    counts = Counter(token for text in of for token in words.tokenize(text))
    common = {token for token, _ in counts.most_common(most_frequent)}
    return [
        (text, next(iter(kinds)))
        for text, kinds in of.items()
        if len(kinds) == 1 and _fits(words.tokenize(text), common, shortest, longest)
    ]


def _fits(tokens: list[str], common: set[str], shortest: int, longest: int) -> bool:
    return shortest <= len(tokens) <= longest and common.issuperset(tokens)


def _find() -> Path:
    for place in _places():
        if (place / _FILES[0]).is_file() or (place.suffix == ".zip" and place.is_file()):
            return place
    raise DataError(
        "WordNet's files are not on this machine: install them (Debian, Ubuntu: apt-get install "
        "wordnet-base; elsewhere: python -m nltk.downloader wordnet), or use a file of your own"
    )


def _places() -> Iterable[Path]:
    import nltk

    yield _DEBIAN
    for folder in nltk.data.path:
        yield Path(folder) / "corpora" / "wordnet"
        yield Path(folder) / "corpora" / "wordnet.zip"


def _read(place: Path, name: str) -> str:
    try:
        if place.suffix == ".zip":
            with zipfile.ZipFile(place) as archive:
                return archive.read(f"wordnet/{name}").decode("utf-8")
        return (place / name).read_text(encoding="utf-8")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{place} does not hold WordNet's {name}: {error}") from error
