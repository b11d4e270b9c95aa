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
        invalid: value of a text that is no molecule, before the shape; none: the worst there is, 0
            (sa: 10), or what pays least in the shape clip, sigmoid or step.
    """

    builds: ClassVar[str] = "seqgan.rewards.molecules:MoleculeReward"
    alone = True
    worst: ClassVar[float] = 0.0
    """Value of a text that is no molecule, without a shape."""
    invalid: float | None = None

    @property
    def absent(self) -> float | None:
        """The value that pays least: an end of the shape, by the sign of the weight."""
        if self.invalid is not None or self.shape in ("none", "standardise"):
            return None
        ends = sorted((self.low, self.high)) if self.shape == "clip" else [0.0, 1.0]
        return ends[0] if self.weight >= 0 else ends[1]

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.invalid is None or abs(self.invalid) < 1e12,
            f"--rewards: invalid: {self.invalid} is not below 10^12",
        )


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

    worst = 10.0
    name: str = "sa"


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
