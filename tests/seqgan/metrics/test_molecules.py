"""Metrics of molecules, by values that are worked out by hand or known."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="the extra molecules is not installed")

from seqgan.errors import MetricError  # noqa: E402
from seqgan.metrics.molecules import (  # noqa: E402
    PROPERTIES,
    canonical,
    internal_diversity,
    molecule,
    molecules,
    nearest_similarity,
    pattern,
    scaffold,
    scaffold_similarity,
    similarity,
)

TOLUENE, PYRIDINE, ETHANE = "Cc1ccccc1", "c1ccncc1", "CC"


def test_molecules_and_their_canonical_text():
    assert molecules(["C(", "", "c1cccc1"]) == [None, None, None]
    assert molecules(["CCO C(", "CC ", " CC", "C\tC"]) == [None] * 4  # behind a blank is no name
    assert canonical(molecule("OCC")) == canonical(molecule("C(O)C")) == "CCO"
    with pytest.raises(MetricError, match="no SMARTS"):
        pattern("[")


def test_known_properties():
    aspirin = molecule("CC(=O)Oc1ccccc1C(=O)O")
    found = {name: value(aspirin) for name, value in PROPERTIES.items()}
    assert found == pytest.approx({"qed": 0.5501, "logp": 1.3101, "sa": 1.580}, abs=1e-3)


def test_scaffolds():
    assert scaffold(molecule(TOLUENE)) == "c1ccccc1" and scaffold(molecule(ETHANE)) == ""
    # Counts (benzene, pyridine): (2, 1) and (1, 1); ethane has none.
    left = molecules([TOLUENE, "CCc1ccccc1", PYRIDINE, ETHANE])
    right = molecules([TOLUENE, PYRIDINE])
    assert scaffold_similarity(left, right) == pytest.approx(3 / math.sqrt(5 * 2))
    assert math.isnan(scaffold_similarity(left, molecules([ETHANE])))


def test_similarities():
    both = molecules([ETHANE, PYRIDINE])
    table = similarity(both, both)
    # One environment of radius 0 in ethane, and one of radius 1; none of them is in pyridine.
    assert table == pytest.approx(np.eye(2))
    assert internal_diversity(both) == pytest.approx([0.5, 0.5])
    assert internal_diversity(molecules([ETHANE, ETHANE])) == pytest.approx([0.0, 0.0])
    assert nearest_similarity(molecules([TOLUENE, ETHANE]), both)[1] == pytest.approx(1.0)
    one = similarity(molecules([TOLUENE]), molecules(["CCc1ccccc1"]))[0, 0]
    assert 0.3 < one < 0.9
