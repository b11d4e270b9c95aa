"""Scores of molecules: valid, varied, new, and like real ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import wasserstein_distance

from rollout import Sequences

from ..data.dataset import Dataset
from ..data.text.rows import chosen_rows
from ..metrics import Score
from ..metrics.molecules import (
    PROPERTIES,
    canonical,
    frechet_chemnet_distance,
    has_rdkit,
    internal_diversity,
    molecules,
    nearest_similarity,
    read_molecule,
    scaffold_similarity,
)
from .scoring import Scorer

__all__ = ["MoleculeScores", "MoleculeTexts", "molecule_scores"]

MOST = 1_000
"""Valid molecules whose properties are computed, at most: some take milliseconds each."""
SHOWN = ("qed", "logp")
"""Properties whose histograms are drawn."""
PERCENTILES = (10, 50, 90)
"""Of the distribution of each property."""
COMPARED = 300_000
"""Training molecules that samples are compared with at most: each is read, which takes a
fraction of a millisecond."""


class MoleculeTexts:
    """Scores of SMILES strings.

    Args:
        training: what samples may be copied from; novelty is left out if it is None, or more than
            `COMPARED`.
        references: real molecules to compare with, in random order.
        scorer: makes intervals and signatures.
        refs: what the references are, for signatures.
    """

    def __init__(
        self,
        training: Sequence[str] | None,
        references: Sequence[str],
        scorer: Scorer,
        refs: str = "test",
    ):
        self.training = None if training is None or len(training) > COMPARED else training
        self.texts, self.scorer, self.refs = references, scorer, refs

    def scores(self, texts: Sequence[str]) -> list[Score]:
        """Scores of samples; what two valid ones are too few for is left out."""
        read = molecules(texts)
        valid = [each for each in read if each is not None]
        found = [self.scorer.share("validity", np.array([x is not None for x in read]), "higher")]
        if len(valid) > 1 and len(self.references) > 1:
            found += [*self._variety(valid), *self._nearness(valid), *self._properties(valid)]
        return [score for score in found if math.isfinite(score.value)]

    @cached_property
    def references(self) -> list[Any]:
        """The references that are molecules."""
        return [each for each in molecules(self.texts) if each is not None]

    @cached_property
    def _known(self) -> set[str]:
        """The training molecules in canonical spelling."""
        assert self.training is not None
        read = map(read_molecule, self.training)  # one by one, and none is kept: they are large
        return {canonical(each) for each in read if each is not None}

    @cached_property
    def real_properties(self) -> dict[str, np.ndarray]:
        """Properties of the references, of `MOST` at most."""
        return _properties(self.references[:MOST])

    def _variety(self, valid: list[Any]) -> list[Score]:
        plain, n = self.scorer.plain, len(valid)
        distinct = {canonical(each) for each in valid}
        found = [plain("unique-molecules", len(distinct) / n, n, "higher")]
        if self.training is not None:
            new = np.array([text not in self._known for text in sorted(distinct)])
            found.append(
                self.scorer.share(
                    "novel-molecules", new, "higher",
                    refs=f"training/{len(self.training)}", spelling="canonical",
                )
            )  # fmt: skip
        diversity = float(internal_diversity(valid).mean())
        return [*found, plain("internal-diversity", diversity, n, "higher")]

    def _nearness(self, valid: list[Any]) -> list[Score]:
        refs, n = f"{self.refs}/{len(self.references)}", len(valid)
        nearest = nearest_similarity(valid, self.references).astype(float)
        alike = scaffold_similarity(valid, self.references)
        found = [
            self.scorer.mean("nearest-molecule", nearest, "higher", refs=refs),
            self.scorer.plain("scaffolds", alike, n, "higher", refs=refs),
        ]
        both = [[canonical(each) for each in group] for group in (valid, self.references)]
        distance = frechet_chemnet_distance(*both)
        if distance is not None:
            found.append(self.scorer.plain("fcd", distance, n, "lower", refs=refs))
        return found

    def _properties(self, valid: list[Any]) -> list[Score]:
        """Means, percentiles, and the Wasserstein distances of the distributions."""
        found, mine = [], _properties(valid[:MOST])
        for name, values in mine.items():
            real, n = self.real_properties[name], len(values)
            distance = float(wasserstein_distance(values, real))
            found += [
                self.scorer.mean(name, values, "none"),
                *(
                    self.scorer.plain(f"{name}-{p}", float(np.percentile(values, p)), n, "none")
                    for p in PERCENTILES
                ),
                self.scorer.plain(
                    f"{name}-distance", distance, n, "lower",
                    refs=f"{self.refs}/{len(real)}",
                ),
            ]  # fmt: skip
        return found


class MoleculeScores:
    """Scores of the samples of a data set of molecules.

    Args:
        data: the data set; its texts are SMILES.
        scorer: makes intervals and signatures.
        count: samples, and real molecules, that are measured at most.
    """

    def __init__(self, data: Dataset, scorer: Scorer, count: int):
        self.data, self.count = data, count
        self.others, test = self._some("train"), self._some("test")
        training = None  # of a large split the texts are never made
        if len(data.train) <= COMPARED:
            training = [data.codec.line(row) for row in data.real_tokens("train")]
        self.texts = MoleculeTexts(training, test, scorer)
        self.against = MoleculeTexts(None, self.texts.texts, scorer, "test, training molecules")

    def _some(self, split: str) -> list[str]:
        """The texts of some real molecules of a split, in random order."""
        tokens = self.data.real_tokens(split)
        rows = np.random.default_rng(0).permutation(len(tokens))[: self.count]
        return [self.data.codec.line(row) for row in chosen_rows(tokens, rows)]

    def scores(self, samples: Sequences) -> list[Score]:
        """Scores of a model's samples."""
        return self.texts.scores(self.data.codec.texts(samples.select(slice(0, self.count))))

    def real(self) -> list[Score]:
        """The same of training molecules: the ceiling."""
        return self.against.scores(self.others)

    def distributions(self, samples: Sequences | None) -> dict[str, np.ndarray]:
        """QED and logP of the valid ones among the samples; of test molecules for None."""
        if samples is None:
            return {name: self.texts.real_properties[name] for name in SHOWN}
        read = molecules(self.data.codec.texts(samples.select(slice(0, self.count))))
        return _properties([each for each in read if each is not None][:MOST], SHOWN)


def molecule_scores(data: Dataset, scorer: Scorer, count: int) -> MoleculeScores | None:
    """The scores of molecules; None without rdkit."""
    return MoleculeScores(data, scorer, count) if has_rdkit() else None


def _properties(
    valid: list[Any], names: Iterable[str] = tuple(PROPERTIES)
) -> dict[str, np.ndarray]:
    """For each property its values [n]."""
    return {name: np.array([PROPERTIES[name](x) for x in valid]) for name in names}
