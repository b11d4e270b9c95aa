"""Molecules by rdkit: properties of each, and how varied, new and lifelike a set of them is.

Definitions as in MOSES (Polykovskiy et al. 2020, "Molecular Sets", section 3), unless a docstring
says otherwise. A text that is no molecule is None here. All functions need the package rdkit.

Shapes: N molecules, M references.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MetricError, MissingExtraError

__all__ = [
    "PROPERTIES", "canonical", "frechet_chemnet_distance", "has_rdkit", "internal_diversity",
    "molecule", "molecules", "nearest_similarity", "pattern", "read_molecule", "require_rdkit",
    "scaffold",
    "scaffold_similarity", "similarity",
]  # fmt: skip

RADIUS, BITS = 2, 1024
"""Of the Morgan fingerprints (Rogers and Hahn 2010); those of MOSES."""
KEPT = 1 << 12
"""Molecules whose reading is remembered: some 30 kB each, so 0.1 GB."""


def has_rdkit() -> bool:
    """Tells if rdkit is installed."""
    return importlib.util.find_spec("rdkit") is not None


def require_rdkit(purpose: str) -> None:
    """Says what is missing before any work is done.

    Raises:
        MissingExtraError: rdkit is not installed.
    """
    if not has_rdkit():
        raise MissingExtraError("rdkit", "molecules", purpose)


@cache
def _chemistry() -> Any:
    """The module ``rdkit.Chem``, without its warnings: it prints one per text that it refuses."""
    require_rdkit("a property of molecules")
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    return Chem


@lru_cache(maxsize=KEPT)
def molecule(text: str) -> Any:
    """As `read_molecule`; the latest are remembered."""
    return read_molecule(text)


def read_molecule(text: str) -> Any:
    """The molecule of a SMILES string; None if it is none, is empty, or holds white space.

    Behind a blank rdkit expects a name: it would read ethane in ``CC C(``.
    """
    return _chemistry().MolFromSmiles(text) if text.split() == [text] else None


def molecules(texts: Sequence[str]) -> list[Any]:
    """The molecule of each text, None where it is none."""
    return [molecule(text) for text in texts]


def canonical(each: Any) -> str:
    """The canonical SMILES of a molecule: the same for all spellings."""
    return str(_chemistry().MolToSmiles(each))


def pattern(text: str) -> Any:
    """The query of a SMARTS string.

    Raises:
        MetricError: it is none.
    """
    found = _chemistry().MolFromSmarts(text)
    if found is None:
        raise MetricError(f"{text!r} is no SMARTS pattern")
    return found


def scaffold(each: Any) -> str:
    """The Murcko scaffold: rings and what links them, as SMILES; empty without a ring."""
    from rdkit.Chem.Scaffolds.MurckoScaffold import GetScaffoldForMol

    return canonical(GetScaffoldForMol(each))


def _qed(each: Any) -> float:
    """Quantitative estimate of drug-likeness, 0 to 1 (Bickerton et al. 2012)."""
    from rdkit.Chem.QED import qed

    return float(qed(each))


def _logp(each: Any) -> float:
    """Octanol-water partition coefficient, estimated (Wildman and Crippen 1999)."""
    from rdkit.Chem.Crippen import MolLogP

    return float(MolLogP(each))


def _accessibility(each: Any) -> float:
    """Synthetic accessibility, 1 (easy) to 10 (Ertl and Schuffenhauer 2009)."""
    return float(_scorer().calculateScore(each))


@cache
def _scorer() -> Any:
    """The scorer of synthetic accessibility, which rdkit brings among its contributions."""
    from rdkit.Chem import RDConfig

    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("sascorer", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise MetricError(
            f"synthetic accessibility: {path} is not there; pip install rdkit brings it"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules["sascorer"] = module
    spec.loader.exec_module(module)
    return module


PROPERTIES: dict[str, Callable[[Any], float]] = {
    "qed": _qed,
    "logp": _logp,
    "sa": _accessibility,
}
"""Numbers of a molecule by name."""


@cache
def _morgan() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


def _fingerprints(mols: Sequence[Any]) -> np.ndarray:
    """Bits [N, BITS] as numbers 0 and 1."""
    if not mols:
        return np.zeros((0, BITS), np.float32)
    return np.stack([_morgan().GetFingerprintAsNumPy(each) for each in mols]).astype(np.float32)


def similarity(mols: Sequence[Any], others: Sequence[Any]) -> np.ndarray:
    """Tanimoto similarities [N, M] of Morgan fingerprints: shared bits over bits of either."""
    left, right = _fingerprints(mols), _fingerprints(others)
    shared = left @ right.T
    either = left.sum(1)[:, None] + right.sum(1) - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def internal_diversity(mols: Sequence[Any]) -> np.ndarray:
    """1 minus the mean similarity of each molecule [N] to all of the set, itself among them."""
    parts = [similarity(part, mols).mean(1) for part in _parts(mols)]
    return 1 - np.concatenate(parts) if parts else np.zeros(0)


def nearest_similarity(mols: Sequence[Any], references: Sequence[Any]) -> np.ndarray:
    """Similarity [N] of each molecule to the nearest reference (SNN)."""
    parts = [similarity(part, references).max(1) for part in _parts(mols)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _parts(mols: Sequence[Any]) -> list[Sequence[Any]]:
    """Groups whose similarities to many others take little memory."""
    return [mols[start : start + 512] for start in range(0, len(mols), 512)]


def scaffold_similarity(mols: Sequence[Any], references: Sequence[Any]) -> float:
    """Cosine of the counts of scaffolds of two sets; molecules without a ring count nothing.

    Unlike in MOSES, which leaves out scaffolds of a single ring too.
    """
    left, right = (Counter(scaffold(each) for each in group) for group in (mols, references))
    for counts in (left, right):
        counts.pop("", None)
    shared = sum(count * right[key] for key, count in left.items())
    norms = [sum(count**2 for count in counts.values()) ** 0.5 for counts in (left, right)]
    return shared / (norms[0] * norms[1]) if all(norms) else float("nan")


def frechet_chemnet_distance(texts: Sequence[str], references: Sequence[str]) -> float | None:
    """Frechet ChemNet distance (Preuer et al. 2018); None if ``fcd`` is not installed.

    Args:
        texts: canonical SMILES of the samples, two or more.
        references: canonical SMILES of real molecules.
    """
    if importlib.util.find_spec("fcd") is None:
        return None
    import fcd

    return float(fcd.get_fcd(list(texts), list(references)))
