"""Probabilistic grammars: weighted rules without recursion, read from text.

Here is what can be said from the rules alone: a random derivation with its probability, the number
of derivations. `seqgan.data.grammar.policy` makes a policy of them.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from functools import cached_property

from ...errors import DataError, did_you_mean

__all__ = ["Grammar", "Production"]

_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_NUMBER = re.compile(r"\d+(\.\d+)?\Z")


@dataclass(frozen=True)
class Production:
    """One way to rewrite a symbol.

    Attributes:
        probability: of this way among all ways to rewrite the symbol.
        parts: symbols and words that take the symbol's place; may be empty.
    """

    probability: float
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Grammar:
    """A probabilistic context-free grammar in which no symbol leads back to itself.

    Attributes:
        start: the symbol that stands for a whole sentence.
        productions: the ways to rewrite each symbol; probabilities of a symbol sum to 1.
    """

    start: str
    productions: dict[str, tuple[Production, ...]]

    @staticmethod
    def parse(text: str, where: str = "grammar") -> Grammar:
        """Reads rules such as ``NOUN -> 3 dog | 2 old dog | cat``.

        A symbol is written in capitals (with digits and ``_``), everything else is a word. The
        first symbol stands for the sentence. A number that opens an alternative is its weight
        (1 by default), to be divided by the sum of the weights of the rule. A rule may go on in
        lines that open with ``|``; an alternative without parts is the empty string; a line that
        opens with ``#`` is a comment.

        Args:
            text: the rules.
            where: name of the rules in error messages.

        Raises:
            DataError: a line cannot be read, a symbol is defined twice, not at all, out of reach
                or recursive, or a weight is 0.
        """
        alternatives: dict[str, list[tuple[float, tuple[str, ...]]]] = {}
        symbol = ""
        for number, line in enumerate(text.splitlines(), start=1):
            place, line = f"{where}, line {number}", line.strip()
            if not line or line.startswith("#"):
                continue
            head, arrow, body = line.partition("->")
            if arrow:
                symbol = head.strip()
                if not _SYMBOL.match(symbol):
                    raise DataError(f"{place}: {symbol!r} is no symbol (A-Z, 0-9, _)")
                if symbol in alternatives:
                    raise DataError(f"{place}: {symbol} is defined a second time")
                alternatives[symbol] = []
            elif line.startswith("|") and symbol:
                body = line[1:]
            else:
                raise DataError(f"{place}: expected 'SYMBOL -> ...' or '| ...', got {line!r}")
            alternatives[symbol] += [_alternative(part, place) for part in body.split("|")]
        if not alternatives:
            raise DataError(f"{where}: holds no rule")
        productions = {}
        for symbol, ways in alternatives.items():
            total = sum(weight for weight, _ in ways)
            productions[symbol] = tuple(Production(w / total, parts) for w, parts in ways)
        _check_symbols(productions, where)
        return Grammar(next(iter(productions)), productions)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the language in alphabetical order."""
        parts = {part for ways in self.productions.values() for way in ways for part in way.parts}
        return tuple(sorted(parts - self.productions.keys()))

    def derive(self, rng: random.Random) -> tuple[list[str], float]:
        """Samples a sentence by rewriting symbols from the start symbol downwards.

        Args:
            rng: where the choices come from.

        Returns:
            The words and the probability of the derivation: the product of the probabilities of
            the productions used. Where the grammar is unambiguous, this is the probability of
            the sentence.
        """
        words: list[str] = []
        log_probability = 0.0
        stack = [self.start]
        while stack:
            part = stack.pop()
            if part not in self.productions:
                words.append(part)
                continue
            ways = self.productions[part]
            (way,) = rng.choices(ways, [way.probability for way in ways])
            log_probability += math.log(way.probability)
            stack.extend(reversed(way.parts))
        return words, math.exp(log_probability)

    def num_derivations(self) -> int:
        """Number of derivations: sums over alternatives of products over their parts.

        Every sentence has at least one derivation, so a grammar has as many sentences as
        derivations exactly if no sentence has two. Counting the sentences (`Automaton.counts`) and
        the derivations (here, from the rules alone) therefore decides whether it is ambiguous,
        which no look at the rules or at samples could.
        """
        counts: dict[str, int] = {}

        def count(part: str) -> int:
            if part not in self.productions:
                return 1
            if part not in counts:
                ways = self.productions[part]
                counts[part] = sum(math.prod(map(count, way.parts)) for way in ways)
            return counts[part]

        return count(self.start)


def _alternative(text: str, place: str) -> tuple[float, tuple[str, ...]]:
    """Weight and parts of one alternative."""
    parts = text.split()
    if not parts or not _NUMBER.match(parts[0]):
        return 1.0, tuple(parts)
    weight = float(parts[0])
    if weight == 0:
        raise DataError(f"{place}: the alternative {text.strip()!r} has weight 0; leave it out")
    return weight, tuple(parts[1:])


def _check_symbols(productions: dict[str, tuple[Production, ...]], where: str) -> None:
    """Raises DataError for undefined, recursive and unreachable symbols."""
    finished: set[str] = set()

    def visit(symbol: str, path: tuple[str, ...]) -> None:
        if symbol in path:
            circle = " -> ".join([*path[path.index(symbol) :], symbol])
            raise DataError(f"{where}: {circle} is recursive; sentences must be finitely many")
        if symbol in finished:
            return
        for way in productions[symbol]:
            for part in way.parts:
                if part in productions:
                    visit(part, (*path, symbol))
                elif _SYMBOL.match(part):
                    hint = did_you_mean(part, productions)
                    raise DataError(f"{where}: {symbol} uses {part}, which has no rule{hint}")
        finished.add(symbol)

    visit(next(iter(productions)), ())
    if unused := productions.keys() - finished:
        raise DataError(f"{where}: no sentence uses {', '.join(sorted(unused))}")
