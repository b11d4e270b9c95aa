"""Aromatic systems of an unfinished SMILES string: can they still become ones that rdkit reads?

partialsmiles looks at an aromatic system when it is closed. By then it may be too late: an atom
that gets no more bonds needs a partner for its double bond, and all of its neighbours may have one
already, or it may be in no aromatic ring. An atom that is still open may get both from what
follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["can_become_aromatic"]

CARBON, HALOGENS, CHALCOGENS = 6, (9, 17, 35), (8, 16, 34)
VALENCES = {6: 4, 7: 3, 8: 2, 9: 1, 17: 1, 35: 1}
"""Of elements that have one alone."""
PLACES = 3
"""Bonds of an aromatic atom at most, whatever their order."""


class Open(NamedTuple):
    """An atom that gets more bonds.

    Attributes:
        rings: the bonds that open rings begin with, counted; "" for none that is written.
        sure: further bonds that it gets for sure, those of rings not counted.
        any: more bonds may follow than those that are begun.
    """

    rings: Counter[str]
    sure: int
    any: bool


def can_become_aromatic(state: Any, last: str, needs: Callable[[Any], bool]) -> bool:
    """Tells if the aromatic atoms can all be in aromatic rings with alternating double bonds.

    Args:
        state: partialsmiles' state after the text.
        last: its last character.
        needs: partialsmiles' rule for the atoms that need a double bond.
    """
    begun = _open(state, last)
    ringed = _in_rings(state, begun)
    must, may = set(), set()
    for atom in state.mol.atoms:
        still = begun.get(atom.idx)
        double = any(bond.order > 1 and not bond.arom for bond in atom.bonds)
        double |= still is not None and still.rings["="] > 0
        if atom.element in HALOGENS and (double or len(atom.bonds) + _more(still) > 1):
            return False
        if not atom.arom:
            continue
        if double and atom.element != CARBON and not atom.charge:
            return False  # rdkit writes such bonds with charges
        within = sum(bond.idx in ringed for bond in atom.bonds)
        if still is None:
            if within < 2:
                return False
            if needs(atom):
                must.add(atom.idx)
            continue
        hydrogens = max(0, state.hcount[atom.idx] or 0)
        left = PLACES - len(atom.bonds) - hydrogens
        left -= sum(count for bond, count in still.rings.items() if bond not in ("", ":"))
        if atom.element in CHALCOGENS and not atom.charge:
            left -= 1
        if not still.any:
            left = min(left, still.rings[""])
        if within + left < 2 or left < still.sure + still.rings[""]:
            return False
        # It has to have two neighbours in its ring.
        sure = max(still.rings[""] + still.sure, 2 - within)
        kind = _kind(atom, still, left, sure, needs)
        if kind == "must":
            must.add(atom.idx)
        elif kind == "may":
            may.add(atom.idx)
    return _paired(state, must, must | may, ringed)


def _open(state: Any, last: str) -> dict[int, Open]:
    """The atoms that get more bonds, by their numbers."""
    rings: dict[int, Counter[str]] = {}
    for atom, bond in state.openbonds.values():
        rings.setdefault(atom.idx, Counter())[bond or ""] += 1
    top, stack = state.prev[-1], state.prev
    places = Counter(atom.idx for atom in stack if atom is not None)
    found = {index: Open(count, 0, False) for index, count in rings.items()}
    for atom in stack:
        if atom is None:
            continue
        count = rings.get(atom.idx, Counter()) + Counter()
        sure = places[atom.idx] - (atom is top)  # behind a branch another atom has to follow
        last_bond = atom is top and bool(state.bondchar) and places[atom.idx] == 1
        if atom is top and state.bondchar:
            count[state.bondchar] += 1
        elif atom is top and (last in "()" or (state.openbonds and len(stack) == 1)):
            sure += 1
        found[atom.idx] = Open(count, sure, not last_bond)
    return found


def _more(still: Open | None) -> int:
    return 0 if still is None else still.rings.total() + still.sure


def _in_rings(state: Any, begun: dict[int, Open]) -> set[int]:
    """Aromatic bonds that are part of a ring, or may become so: others are never double.

    Such a bond is no bridge of the graph in which one more atom stands for all that may follow,
    with a bond to each open atom.
    """
    atoms, outside = state.mol.atoms, -1
    growing = {index for index in begun if not _full(atoms[index])}
    near: dict[int, list[tuple[int, int]]] = {outside: [(index, -1 - index) for index in growing]}
    for atom in atoms:
        near[atom.idx] = [(bond.getNbr(atom).idx, bond.idx) for bond in atom.bonds]
        if atom.idx in growing:
            near[atom.idx].append((outside, -1 - atom.idx))
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    bridges: set[int] = set()

    def visit(here: int, by: int | None) -> None:
        order[here] = low[here] = len(order)
        for there, bond in near[here]:
            if bond == by:
                continue
            if there in order:
                low[here] = min(low[here], order[there])
                continue
            visit(there, bond)
            low[here] = min(low[here], low[there])
            if low[there] > order[here]:
                bridges.add(bond)

    for atom in atoms:
        if atom.idx not in order:
            visit(atom.idx, None)
    return {bond.idx for bond in state.mol.bonds if bond.arom and bond.idx not in bridges}


def _full(atom: Any) -> bool:
    """Tells if an atom has all of its bonds, though the text would let another one follow."""
    return not atom.charge and atom.getExplicitValence() >= VALENCES.get(atom.element, 9)


def _kind(atom: Any, still: Open, left: int, sure: int, needs: Callable[[Any], bool]) -> str:
    """If an open atom must find its partner within, may, or has none."""
    if still.rings["="] or not needs(atom):
        return ""
    if atom.element == CARBON:
        return "may" if left > 0 else "must"
    # A nitrogen with three bonds has no double one.
    return "" if not atom.charge and left <= sure else "may"


def _paired(state: Any, must: set[int], there: set[int], ringed: set[int]) -> bool:
    """Tells if there are pairs of neighbours in which each atom of `must` comes once."""
    near: dict[int, list[int]] = {}
    for index in there:
        atom = state.mol.atoms[index]
        others = (bond.getNbr(atom).idx for bond in atom.bonds if bond.idx in ringed)
        near[index] = [other for other in others if other in there]

    def found(left: frozenset[int], free: frozenset[int]) -> bool:
        if not left:
            return True
        atom = min(left, key=lambda index: sum(other in free for other in near[index]))
        rest = free - {atom}
        return any(
            found(left - {atom, other}, rest - {other}) for other in near[atom] if other in rest
        )

    return found(frozenset(must), frozenset(there))
