"""A grammar without recursion as a deterministic automaton: one state a distinguishable prefix.

The next word of a probabilistic grammar depends on the prefix through a *belief*: which symbols may
be left to rewrite, and with what probability each (the incremental parser of Stolcke 1995, "An
Efficient Probabilistic Context-Free Parsing Algorithm that Computes Prefix Probabilities", without
the machinery that recursion needs). There are finitely many beliefs where nothing is recursive, so
they can all be worked out ahead: weighted determinisation (Mohri 1997, "Finite-State Transducers in
Language and Speech Processing"). Beliefs with the same future are merged on the way, which makes
the automaton minimal.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import NamedTuple, TypeVar

from .rules import Grammar

__all__ = ["Arc", "Automaton"]

T = TypeVar("T")

_DIGITS = 12
"""Probabilities that agree in so many digits are taken as equal (they differ by rounding)."""

Stack = tuple[str, ...]
"""Symbols that are left to rewrite, the next one first."""

Belief = dict[Stack, float]
"""The probability of each stack, given the words so far; every stack opens with a word, or is
empty where the sentence may end."""


class Arc(NamedTuple):
    """One way on from a state.

    Attributes:
        word: the next word, or None for the end of the sentence.
        probability: of this word, given the state.
        target: the state after it; -1 after the end.
    """

    word: str | None
    probability: float
    target: int


class Automaton:
    """All prefixes of a grammar's sentences, merged where their futures agree.

    Attributes:
        arcs: the ways on from each state, words in alphabetical order, the end first; arcs only
            lead to states of smaller number.
        start: the state of the empty prefix, which is the last one.
    """

    def __init__(self, grammar: Grammar):
        self.arcs: list[tuple[Arc, ...]] = []
        self._productions = grammar.productions
        self._closures: dict[Stack, Belief] = {}
        self._of_belief: dict[frozenset[tuple[Stack, float]], int] = {}
        self._of_future: dict[tuple[tuple[str | None, float, int], ...], int] = {}
        self.start = self._state(self._closure((grammar.start,)))
        del self._closures, self._of_belief, self._of_future

    def __len__(self) -> int:
        return len(self.arcs)

    def entropies(self) -> list[float]:
        """Entropy of the rest of the sentence, in nats, for each state.

        By the chain rule: the entropy of the next word, plus the mean entropy of what follows it.
        """
        totals: list[float] = []
        for arcs in self.arcs:
            terms = [
                arc.probability * (_after(arc, totals, 0.0) - math.log(arc.probability))
                for arc in arcs
            ]
            totals.append(math.fsum(terms))
        return totals

    def mean_lengths(self) -> list[float]:
        """Mean number of words to come, the end counted as one, for each state."""
        totals: list[float] = []
        for arcs in self.arcs:
            terms = [arc.probability * (1.0 + _after(arc, totals, 0.0)) for arc in arcs]
            totals.append(math.fsum(terms))
        return totals

    def counts(self) -> list[int]:
        """Number of distinct ways to complete the sentence, for each state.

        The automaton is deterministic: two of its paths never spell the same sentence.
        """
        totals: list[int] = []
        for arcs in self.arcs:
            totals.append(sum(_after(arc, totals, 1) for arc in arcs))
        return totals

    def length_range(self) -> tuple[int, int]:
        """Words of the shortest and the longest sentence, the end counted as one."""
        ranges: list[tuple[int, int]] = []
        for arcs in self.arcs:
            rest = [_after(arc, ranges, (0, 0)) for arc in arcs]
            ranges.append((1 + min(low for low, _ in rest), 1 + max(high for _, high in rest)))
        return ranges[self.start]

    def _state(self, belief: Belief) -> int:
        """The state of a belief; its successors get theirs first, hence smaller numbers."""
        key = frozenset((stack, round(p, _DIGITS)) for stack, p in belief.items())
        if key in self._of_belief:
            return self._of_belief[key]
        after: defaultdict[str | None, Belief] = defaultdict(lambda: defaultdict(float))
        for stack, probability in belief.items():
            word = stack[0] if stack else None
            for rest, share in self._closure(stack[1:]).items():
                after[word][rest] += probability * share
        arcs = []
        for word in sorted(after, key=lambda word: word or ""):
            probability = math.fsum(after[word].values())
            target = -1
            if word is not None:
                target = self._state({s: p / probability for s, p in after[word].items()})
            arcs.append(Arc(word, probability, target))
        future = tuple((arc.word, round(arc.probability, _DIGITS), arc.target) for arc in arcs)
        if future not in self._of_future:
            self._of_future[future] = len(self.arcs)
            self.arcs.append(tuple(arcs))
        self._of_belief[key] = self._of_future[future]
        return self._of_belief[key]

    def _closure(self, stack: Stack) -> Belief:
        """The belief that comes of rewriting the first part of `stack` until it is a word."""
        if not stack or stack[0] not in self._productions:
            return {stack: 1.0}
        if stack not in self._closures:
            belief: Belief = defaultdict(float)
            for way in self._productions[stack[0]]:
                for rest, share in self._closure(way.parts + stack[1:]).items():
                    belief[rest] += way.probability * share
            self._closures[stack] = belief
        return self._closures[stack]


def _after(arc: Arc, values: list[T], at_end: T) -> T:
    """The value of the state that `arc` leads to, or `at_end` where it ends the sentence."""
    return at_end if arc.target < 0 else values[arc.target]
