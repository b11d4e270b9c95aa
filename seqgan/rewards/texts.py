"""Terms that read a sequence's tokens or its text.

Shapes: B sequences.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from rollout import Sequences

from ..config.rewards import BleuTerm, LengthTerm, NoveltyTerm, RegexTerm, RepetitionTerm
from ..data.codec import Codec
from ..errors import ConfigError
from ..metrics import bleu
from ..seeding import rng_for
from .ingredients import Ingredients

__all__ = ["Bleu", "Length", "Novelty", "Regex", "Repetition", "read_lines"]

Row = list[Hashable]


class _OfTokens:
    """Base of the rewards that are computed from each sequence's tokens or text."""

    def __init__(self, codec: Codec):
        self.codec = codec

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences."""
        found = self.values(self.codec.tokens(sequences))
        return torch.tensor(list(found), dtype=torch.float32, device=sequences.device)

    def values(self, rows: list[Row]) -> Iterable[float]:
        raise NotImplementedError


class Length(_OfTokens):
    """Number of tokens, EOS not counted."""

    def __init__(self, term: LengthTerm, given: Ingredients):
        super().__init__(given.codec)

    def values(self, rows: list[Row]) -> Iterable[float]:
        """One length for each row."""
        return map(len, rows)


class Repetition(_OfTokens):
    """Share of n-grams that the sequence has had before: 1 - distinct / all; 0 without any."""

    def __init__(self, term: RepetitionTerm, given: Ingredients):
        super().__init__(given.codec)
        self.order = term.order

    def values(self, rows: list[Row]) -> Iterable[float]:
        """One share for each row."""
        for row in rows:
            grams = _grams(row, self.order)
            yield 1 - len(set(grams)) / len(grams) if grams else 0.0


class Bleu(_OfTokens):
    """BLEU-n (see `seqgan.metrics.bleu`) against a set of references."""

    def __init__(self, term: BleuTerm, given: Ingredients):
        super().__init__(given.codec)
        self.order = term.order
        references = _references(term, given)
        rng = rng_for(given.seed, "rewards", "bleu")
        chosen = torch.randperm(len(references), generator=rng)[: term.most]
        self.references = [references[row] for row in chosen.tolist()]

    def values(self, rows: list[Row]) -> Iterable[float]:
        """One score for each row."""
        found = bleu(rows, self.references, self.order, per_sentence=True, unk=self.codec.unknown)
        return [float(value) for value in found[self.order]]


class Regex:
    """1 if an expression is found in the text, else 0."""

    def __init__(self, term: RegexTerm, given: Ingredients):
        self.codec, self.pattern = given.codec, re.compile(term.pattern)

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences."""
        found = [float(bool(self.pattern.search(text))) for text in self.codec.texts(sequences)]
        return torch.tensor(found, device=sequences.device)


class Novelty(_OfTokens):
    """1 if no training sequence is the same; or the share of n-grams that training lacks."""

    def __init__(self, term: NoveltyTerm, given: Ingredients):
        super().__init__(given.codec)
        self.order = term.order
        rows = given.codec.tokens(given.train)
        self.known: set[tuple[Hashable, ...]] = set()
        for row in rows:
            self.known.update(_grams(row, self.order) if self.order else [tuple(row)])

    def values(self, rows: list[Row]) -> Iterable[float]:
        """One share for each row."""
        for row in rows:
            parts = _grams(row, self.order) if self.order else [tuple(row)]
            yield sum(part not in self.known for part in parts) / len(parts) if parts else 0.0


def _grams(row: Row, order: int) -> list[tuple[Hashable, ...]]:
    return [tuple(row[i : i + order]) for i in range(len(row) - order + 1)]


def _references(term: BleuTerm, given: Ingredients) -> list[Row]:
    """Tokens of the references; the words that the vocabulary lacks match nothing."""
    if term.references is None:
        return given.codec.tokens(given.train)
    return [given.codec.pieces(line) for line in read_lines(term.references)]


def read_lines(path: str) -> list[str]:
    """The lines of a file of references that hold text.

    Raises:
        ConfigError: it cannot be read, or there are none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file in UTF-8"
        raise ConfigError(f"--rewards: references: {path}: {reason}") from None
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise ConfigError(f"--rewards: references: {path}: holds no line of text")
    return lines
