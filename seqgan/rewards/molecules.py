"""Terms that judge molecules by rdkit.

Shapes: B sequences.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rollout import Sequences

from ..config.rewards import MoleculeTerm, SimilarityTerm, SubstructureTerm
from ..errors import ConfigError, MetricError
from ..metrics.molecules import PROPERTIES, molecule, pattern, require_rdkit, similarity
from .failures import Failures
from .ingredients import Ingredients

__all__ = ["MoleculeReward", "judge_of"]

LOOKED_AT = 100
"""Training sequences of which one at least is a molecule."""
REMEMBERED = 1 << 17
"""Texts whose values are kept; the oldest go first."""

Judge = Callable[[Any], float]


class MoleculeReward:
    """A number of the molecule that each sequence names; equal texts are judged once.

    NaN stands for a text that is no molecule, if the term's shape says what that is worth.

    Raises:
        ConfigError: the training data are no molecules, as they are cut.
    """

    abstains = True

    def __init__(self, term: MoleculeTerm, given: Ingredients):
        self.name, self.codec, self.judge = term.name, given.codec, judge_of(term)
        self._failed = Failures(given, "it counts as no molecule")
        self.invalid = term.worst if term.invalid is None else term.invalid
        if term.absent is not None:
            self.invalid = float("nan")
        self._known: OrderedDict[str, float] = OrderedDict()
        real = self.codec.texts(given.train.select(slice(0, LOOKED_AT)))
        if real and all(molecule(text) is None for text in real):
            raise ConfigError(
                f"--rewards {term.name}: rdkit reads none of the first {len(real)} training "
                f"sequences as a molecule, such as {real[0]:.40}, cut by {self.codec.cut}; give "
                "one SMILES string per line, and --corpus.tokenizer smiles"
            )

    def __call__(self, sequences: Sequences) -> Tensor:
        """Rewards [B] of the sequences.

        Raises:
            RewardError: rdkit fails at a molecule, and none may be skipped.
        """
        values = [self._value(text) for text in self.codec.texts(sequences)]
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return torch.tensor(values, dtype=torch.float32, device=sequences.device)

    def _value(self, text: str) -> float:
        if text not in self._known:
            found = molecule(text)
            self._known[text] = self.invalid if found is None else self._number(found, text)
        return self._known[text]

    def _number(self, found: Any, text: str) -> float:
        """The number of a molecule; that of a text that is none, if it has none.

        Raises:
            RewardError: it has none, and may not be skipped.
        """
        try:
            value = self.judge(found)
        except Exception as error:
            self._failed(f"{self.name} raised {type(error).__name__}: {error} for {text!r}", error)
            return self.invalid
        if not math.isfinite(value):
            self._failed(f"{self.name} is {value} for {text!r}")
            return self.invalid
        return value


def judge_of(term: MoleculeTerm) -> Judge:
    """The number that a term gives a molecule.

    Raises:
        MissingExtraError: rdkit is not installed.
        ConfigError: a target or a pattern cannot be read.
    """
    require_rdkit(f"--rewards {term.name}")
    if isinstance(term, SimilarityTerm):
        return _nearness(term.targets)
    if isinstance(term, SubstructureTerm):
        return _holding(term.smarts)
    return PROPERTIES.get(term.name, _valid)


def _valid(found: Any) -> float:
    return 1.0


def _nearness(targets: list[str]) -> Judge:
    """The similarity to the nearest of `targets`."""
    read = [molecule(text) for text in targets]
    for text, found in zip(targets, read, strict=True):
        if found is None:
            raise ConfigError(f"--rewards: similarity: targets: {text!r} is no molecule")
    return lambda found: float(similarity([found], read).max())


def _holding(smarts: str) -> Judge:
    """1 if a molecule holds the pattern."""
    try:
        wanted = pattern(smarts)
    except MetricError as error:
        raise ConfigError(f"--rewards: substructure: smarts: {error}") from None
    return lambda found: float(found.HasSubstructMatch(wanted))
