"""Sequences that explain others: the nearest ones, and those that excite the same hidden units.

Shapes: B sequences, T tokens, H features, N sequences of the corpus.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rollout import Sequences
from rollout.modules import evaluating

from ..models import Generator

__all__ = ["Example", "Neighbours", "Unit", "edits", "excited_units"]

CANDIDATES = 50
"""Sequences whose edits are counted: those that share most tokens and pairs of tokens."""


def edits(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and replacements from one to the other (Levenshtein 1966)."""
    before = list(range(len(other) + 1))
    for i, token in enumerate(one, start=1):
        now = [i]
        for j, against in enumerate(other, start=1):
            changed = before[j - 1] + (token != against)
            now.append(min(changed, before[j] + 1, now[-1] + 1))
        before = now
    return before[-1]


class Neighbours:
    """Finds the sequences of a corpus with the fewest edits from others.

    Edits are counted for the sequences that share most tokens and neighbouring pairs.

    Args:
        corpus: sequences; of equal ones the first counts.
    """

    def __init__(self, corpus: Sequence[Sequence[Hashable]]):
        self._first: dict[tuple[Hashable, ...], int] = {}
        for row, each in enumerate(corpus):
            self._first.setdefault(tuple(each), row)
        self._pieces = {key: _pieces(key) for key in self._first}

    def nearest(self, tokens: Sequence[Hashable], count: int) -> list[tuple[int, int]]:
        """The rows of the nearest sequences, and their numbers of edits.

        Args:
            tokens: a sequence.
            count: rows wanted.

        Returns:
            Pairs of row and edits, the nearest first.
        """
        own, first = _pieces(tokens), self._first
        shared = {
            key: sum((own & pieces).values()) / max(1, (own | pieces).total())
            for key, pieces in self._pieces.items()
            if pieces or not own
        }
        likely = sorted(shared, key=lambda key: (-shared[key], first[key]))[:CANDIDATES]
        found = sorted((edits(tokens, key), first[key]) for key in likely)
        return [(row, distance) for distance, row in found[:count]]


def _pieces(tokens: Sequence[Hashable]) -> Counter[Hashable]:
    """Tokens and neighbouring pairs, counted."""
    return Counter([*tokens, *zip(tokens, tokens[1:], strict=False)])


@dataclass(frozen=True)
class Example:
    """A place of a corpus that excites a unit.

    Attributes:
        row: of the sequence.
        place: of the token that the unit has read last.
        strength: standard deviations from the unit's mean.
    """

    row: int
    place: int
    strength: float


@dataclass(frozen=True)
class Unit:
    """A hidden unit that a sequence excites.

    Attributes:
        number: of the unit.
        place: of the token that it has read last.
        strength: standard deviations from its mean over the corpus.
        examples: places of the corpus that excite it most, in the same direction.
    """

    number: int
    place: int
    strength: float
    examples: list[Example]


def excited_units(
    generator: Generator, sequences: Sequences, corpus: Sequences, units: int = 4, examples: int = 3
) -> list[list[Unit]]:
    """The hidden units that each sequence excites most, against a corpus.

    A unit's activation is that of the generator's features after a token.

    Args:
        generator: the policy.
        sequences: B sequences.
        corpus: N sequences, of the training data say.
        units: per sequence.
        examples: per unit, each of another sequence.
    """
    ours, theirs = _activations(generator, sequences), _activations(generator, corpus)
    known = theirs[corpus.mask]
    mean, spread = known.mean(0), known.std(0, correction=0).clamp(min=1e-6)
    ours, theirs = (ours - mean) / spread, (theirs - mean) / spread
    found = []
    for row in range(len(sequences)):
        own = ours[row, : int(sequences.lengths[row])]
        strongest, places = own.abs().max(0)
        some = []
        for number in strongest.topk(min(units, len(strongest))).indices.tolist():
            place = int(places[number])
            strength = float(own[place, number])
            signed = theirs[..., number] * (1 if strength > 0 else -1)
            most, where = signed.masked_fill(~corpus.mask, -torch.inf).max(1)
            best = most.topk(min(examples, len(most))).indices.tolist()
            places_of = [
                Example(
                    other, int(where[other]), round(float(theirs[other, where[other], number]), 3)
                )
                for other in best
            ]
            some.append(Unit(number, place, round(strength, 3), places_of))
        found.append(some)
    return found


@torch.no_grad()
def _activations(generator: Generator, sequences: Sequences) -> Tensor:
    """Features [B, T, H] after each token, float32 on the CPU."""
    with evaluating(generator):
        parts = [_after(generator, part) for part in sequences.split(256)]
    return torch.cat(parts)


def _after(generator: Generator, sequences: Sequences) -> Tensor:
    """Features [B, T, H] after each token: `features` has those before it."""
    sequences, bos = generator.asked(sequences), sequences.tokens[:, :1]
    longer = Sequences(
        torch.cat([sequences.tokens, bos], 1), sequences.lengths + 1, None, sequences.condition
    )
    features: Tensor = generator.features(longer)[:, 1:]
    return features.float().cpu()
