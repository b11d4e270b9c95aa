"""Forests out of pickles: the same numbers as scikit-learn's, and nothing else is read."""

from __future__ import annotations

import io
import os
import pickle
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.forest import Forest, activities


def test_the_numbers_are_those_of_scikit_learn():
    ensemble = pytest.importorskip("sklearn.ensemble", reason="needs the extra digits")
    rng = np.random.default_rng(0)
    features = rng.integers(0, 2, (200, 30)).astype(np.float32)
    labels = (features[:, 0] + features[:, 1] * features[:, 2] + rng.random(200) > 1.2).astype(int)
    theirs = ensemble.RandomForestClassifier(12, random_state=0).fit(features[:150], labels[:150])
    ours = Forest(io.BytesIO(pickle.dumps(theirs)))
    expected = theirs.predict_proba(features)[:, 1]
    assert len({*expected.round(6)}) > 8
    assert np.abs(ours(features) - expected).max() < 1e-12


def test_a_file_that_holds_something_else_is_refused():
    class Wicked:
        def __reduce__(self):
            return os.getcwd, ()

    with pytest.raises(pickle.UnpicklingError, match="getcwd, which is no part of a forest"):
        Forest(io.BytesIO(pickle.dumps(Wicked())))


@pytest.mark.skipif(find_spec("molscore") is None, reason="needs the package molscore")
def test_activities_of_molecules():
    pytest.importorskip("rdkit", reason="the extra molecules is not installed")
    inhibitors = [  # SP600125, AS601245
        "O=C1c2ccccc2-c2n[nH]c3cccc1c23", "N#CC(c1nc2ccccc2s1)c1ccnc(NCCc2cccnc2)n1",
    ]  # fmt: skip
    found = activities("jnk3", [*inhibitors, "CCO", "C("])
    assert min(found[:2]) > 0.5 > 0.05 > found[2] and found[3] == 0.0
