"""The symbols that may follow the beginning of a SMILES string, by partialsmiles.

partialsmiles reads a string from its first character, once per candidate: milliseconds for a
vocabulary. Few facts decide what may follow: the atoms that can still get a bond, the rings and
branches that are open, and the aromatic systems that are not closed. Beginnings that agree in them
share one answer, which is asked for once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import ConfigError, MissingExtraError
from .codec import Codec
from .open_systems import can_become_aromatic
from .text.vocabulary import SPECIAL_TOKENS

__all__ = ["SmilesPrefixes", "smiles"]

LOOK, EFFORT = 3, 20
"""Tokens to spare below which it is looked for an end, so that none comes too late, and beginnings
that are tried then; after them there is taken to be none, unless there is none for any symbol."""
KEPT = 1 << 17
"""Beginnings whose answers are kept; then all are forgotten."""
FIRST = ("", ")", "C", "c", "O", "N", "n")
"""Symbols that a search for an end begins with, after the open rings."""


class Beginning(NamedTuple):
    """A part of a SMILES string, from its first symbol.

    Attributes:
        text: the part.
        key: equal for beginnings that the same symbols may follow.
        rings: symbols of the rings that are open.
        least: tokens, EOS counted, that have to follow at least.
    """

    text: str
    key: tuple[Any, ...]
    rings: tuple[str, ...]
    least: int


class SmilesPrefixes:
    """Constraint ``constraint(prefixes) -> bool [N, V]``: all that can still become a molecule.

    The rules are those of partialsmiles: common valences, aromatic systems with alternating double
    bonds, no branch at the end. Canonical SMILES of rdkit keep them. Where nothing can follow, EOS
    may, and what it ends is no molecule.

    Args:
        codec: its tokens are symbols or characters of SMILES, and sequences end in EOS.
        look: see `LOOK`.
        effort: see `EFFORT`.

    Raises:
        MissingExtraError: partialsmiles is not installed.
        ConfigError: the tokens are others.
    """

    def __init__(self, codec: Codec, look: int = LOOK, effort: int = EFFORT):
        try:
            from partialsmiles import smiparser
        except ImportError as error:
            raise MissingExtraError("partialsmiles", "molecules", "--constraint smiles") from error
        if codec.cut not in ("smiles", "characters"):
            more = ": any sequence of its symbols is a molecule" if codec.cut == "selfies" else ""
            raise ConfigError(
                f"--constraint smiles: goes with --corpus.tokenizer smiles or characters, not "
                f"{codec.cut}{more}"
            )
        if codec.spec.eos_id is None:
            raise ConfigError("--constraint smiles: sequences have to end in EOS")
        self._parser, self._errors = smiparser, smiparser.Error
        self.eos, self.longest = codec.spec.eos_id, codec.spec.max_length
        self.look, self.effort = look, effort
        never = {*codec.spec.forbidden, *codec.spec.withheld, self.eos}
        vocabulary: Any = codec
        words = list(vocabulary.vocabulary.tokens)
        self.words = [
            "" if word in SPECIAL_TOKENS or token in never else word
            for token, word in enumerate(words)
        ]
        order = {word: place for place, word in enumerate(FIRST)}
        self.search = sorted(
            (token for token, word in enumerate(self.words) if word),
            key=lambda token: (order.get(self.words[token], len(FIRST)), token),
        )
        self._rows: dict[tuple[int, ...], np.ndarray] = {}
        self._masks: dict[Any, np.ndarray] = {}
        self._follows: dict[Any, bool] = {}

    def __call__(self, prefixes: list[list[int]]) -> np.ndarray:
        """Bool [N, V]."""
        if len(self._rows) > KEPT:
            self._rows.clear()
        if len(self._follows) > 32 * KEPT:
            self._follows.clear()
            self._masks.clear()
        return np.stack([self._row(tuple(prefix)) for prefix in prefixes])

    def _row(self, prefix: tuple[int, ...]) -> np.ndarray:
        if prefix not in self._rows:
            begun = self._read("".join(self.words[token] for token in prefix))
            self._rows[prefix] = self._mask(begun, self.longest - len(prefix))
        return self._rows[prefix]

    def _mask(self, begun: Beginning, left: int) -> np.ndarray:
        """The tokens that may follow, with so many tokens left, EOS counted."""
        spare = min(left - begun.least, self.look + 4)  # a symbol makes `least` larger by 3 at most
        key = begun.key, spare
        if key not in self._masks:
            row = np.array([
                bool(word) and left > 1 and self._may(begun, token)
                for token, word in enumerate(self.words)
            ])  # fmt: skip
            if spare < self.look + 4:
                ends = np.array([
                    bool(may) and self._ends(self._read(begun.text + word), left - 1)
                    for may, word in zip(row, self.words, strict=True)
                ])  # fmt: skip
                if ends.any() or self._may(begun, self.eos):
                    row = ends  # if none was found at all, there may be one
            row[self.eos] = self._may(begun, self.eos)
            row[self.eos] |= not row.any()
            self._masks[key] = row
        return self._masks[key]

    def _may(self, begun: Beginning, token: int) -> bool:
        """Tells if a symbol, or the end, may follow by the rules of SMILES."""
        key = begun.key, token
        if key not in self._follows:
            end = token == self.eos
            text = begun.text + self.words[token]
            try:
                state = self._parser.ParseSmiles(text, partial=not end)
                needs = self._parser.valence.NeedsDblBond
                self._follows[key] = end or can_become_aromatic(state, text[-1:], needs)
            except (self._errors, IndexError):  # it looks beyond the end of "[" in some places
                self._follows[key] = False
        return self._follows[key]

    def _ends(self, begun: Beginning, left: int) -> bool:
        """Tells if a molecule can come of it within so many tokens, EOS counted."""
        if left - begun.least >= self.look:
            return True
        tried: set[Any] = set()

        def found(at: Beginning, left: int) -> bool:
            if left < at.least or (at.key, left) in tried:
                return False
            if self._may(at, self.eos):
                return True
            if len(tried) >= self.effort:
                return False
            tried.add((at.key, left))
            return any(
                self._may(at, token) and found(self._read(at.text + self.words[token]), left - 1)
                for token in self._in_order(at)
            )

        return found(begun, left)

    def _in_order(self, begun: Beginning) -> Iterator[int]:
        """The symbols, those first that are likely to lead to an end."""
        yield from (token for token in self.search if self.words[token] in begun.rings)
        yield from (token for token in self.search if self.words[token] not in begun.rings)

    def _read(self, text: str) -> Beginning:
        """Reads a text for all that decides on the symbols that may follow."""
        parser = self._parser.SmilesParser(True, 0)
        state = self._parser.State()
        parser.smi, parser.N = text, len(text)
        try:
            while state.idx < parser.N:
                parser.parse_token(state)
        except (self._errors, IndexError, AttributeError):
            return Beginning(text, ("broken", text), (), 1)
        return Beginning(text, _key(text, state), tuple(state.openbonds), _least(text, state))


def smiles(codec: Codec) -> SmilesPrefixes:
    """The constraint of SMILES strings for the tokens of a codec."""
    return SmilesPrefixes(codec)


def _least(text: str, state: Any) -> int:
    """Tokens that have to follow: each ring one, each branch its end and an atom behind it."""
    branches, last = len(state.prev) - 1, text[-1:]
    least = 1 + len(state.openbonds) + 2 * branches + (last in ("(", ")", "."))
    return least + bool(state.bondchar and not state.openbonds)


def _key(text: str, state: Any) -> tuple[Any, ...]:
    """Equal keys: the same symbols may follow (see the module's docstring)."""
    top = state.prev[-1]
    after = text[state.smiidx[top.idx] + 1 :] if top is not None else ""
    opened = text.rfind("[")
    inside = text[opened:] if opened > text.rfind("]") else ""
    cut = text[-2:] if "%" in text[-2:] else text[-1:]
    rings = sorted(state.openbonds.items())
    active = {atom.idx: atom for atom in [*state.prev, *(at for _, (at, _) in rings)] if atom}
    place = {idx: n for n, idx in enumerate(active)}
    bonds = {
        (place[bond.beg.idx], place[bond.end.idx])
        for atom in active.values()
        for bond in atom.bonds
        if bond.beg.idx in place and bond.end.idx in place
    }
    return (
        cut, inside, "(" in after, ")" in after, state.bondchar, state.reaction_part,
        tuple(-1 if atom is None else place[atom.idx] for atom in state.prev),
        tuple((symbol, place[atom.idx], bond) for symbol, (atom, bond) in rings),
        tuple(_atom(atom, state) for atom in active.values()), tuple(sorted(bonds)),
        _systems(state, active),
    )  # fmt: skip


def _atom(atom: Any, state: Any) -> tuple[Any, ...]:
    """All that the rules look at in an atom."""
    bonds = sorted((bond.order, bond.arom) for bond in atom.bonds)
    nitroxide = atom.element == 8 and atom.bonds and atom.bonds[0].getNbr(atom).element == 7
    return (
        atom.element, atom.charge, atom.arom, state.hcount[atom.idx], tuple(bonds), bool(nitroxide),
    )  # fmt: skip


def _systems(state: Any, active: dict[int, Any]) -> tuple[Any, ...]:
    """The aromatic systems that can still grow: their atoms, bonds, and the active ones."""
    stack = [atom for atom in active.values() if atom.arom]
    seen: dict[int, Any] = {}
    while stack:
        atom = stack.pop()
        if atom.idx in seen:
            continue
        seen[atom.idx] = atom
        stack += [bond.getNbr(atom) for bond in atom.bonds if bond.arom]
    order = {idx: n for n, idx in enumerate(sorted(seen))}
    bonds = {
        (order[bond.beg.idx], order[bond.end.idx])
        for atom in seen.values()
        for bond in atom.bonds
        if bond.arom
    }
    atoms = tuple(_atom(seen[idx], state) for idx in order)
    places = tuple((n, order[idx]) for n, idx in enumerate(active) if idx in order)
    return atoms, tuple(sorted(bonds)), places
