"""Settings of the terms that judge molecules (extra `molecules`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..checks import require
from .base import RewardTerm

__all__ = [
    "LogPTerm", "MoleculeTerm", "QedTerm", "SimilarityTerm", "SubstructureTerm",
    "SyntheticAccessibilityTerm", "ValidityTerm",
]  # fmt: skip


@dataclass
class MoleculeTerm(RewardTerm):
    """A number of the molecule that a text names.

    Attributes:
        invalid: value of a text that is no molecule.
    """

    builds: ClassVar[str] = "seqgan.rewards.molecules:MoleculeReward"
    invalid: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(abs(self.invalid) < 1e12, f"--rewards: invalid: {self.invalid} is not below 10^12")


@dataclass
class ValidityTerm(MoleculeTerm):
    """1 if rdkit reads the text as a molecule."""

    name: str = "validity"


@dataclass
class QedTerm(MoleculeTerm):
    """Drug-likeness QED, 0 to 1."""

    name: str = "qed"


@dataclass
class LogPTerm(MoleculeTerm):
    """Estimated logP, about -3 to 7; a shape makes a goal of it."""

    name: str = "logp"


@dataclass
class SyntheticAccessibilityTerm(MoleculeTerm):
    """Synthetic accessibility, 1 (easy) to 10; give a negative weight."""

    name: str = "sa"
    invalid: float = 10.0


@dataclass
class SimilarityTerm(MoleculeTerm):
    """Tanimoto similarity to the nearest target, 0 to 1.

    Attributes:
        targets: SMILES of the targets.
    """

    name: str = "similarity"
    targets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.targets),
            "--rewards: similarity: give targets, '{name: similarity, targets: [CCO]}'",
        )


@dataclass
class SubstructureTerm(MoleculeTerm):
    """1 if the molecule holds a substructure.

    Attributes:
        smarts: the substructure, as SMARTS.
    """

    name: str = "substructure"
    smarts: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.smarts),
            "--rewards: substructure: give smarts, '{name: substructure, smarts: c1ccccc1}'",
        )
