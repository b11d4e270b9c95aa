"""Base of the primary metrics, and the axes of diversity at which they compare models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue
from ...metrics.likelihood import SequenceScores
from ..decoding import FAMILIES
from ..pooled import ALL, Drawn, Rows

__all__ = ["ENTROPY", "SELF_BLEU", "Axis", "Measured", "Primary"]

SELF_BLEU_ORDER = 4


class Measured(Protocol):
    """A model's figures on a split, as far as a primary metric reads them."""

    @property
    def real(self) -> SequenceScores:
        """Scores of the split's sequences under the model."""

    @property
    def carried(self) -> Any:
        """Result of the metric's `Primary.carry`."""


@dataclass(frozen=True)
class Axis:
    """A measure of diversity, at equal values of which models are compared.

    Attributes:
        key: its name among a sweep's figures.
        words: as a sentence has it, with its article.
        label: of a plot's axis.
        sign: 1 if more is more diverse, else -1.
        order: n-gram order of a self-BLEU; None: the axis is the model's own entropy.
    """

    key: str
    words: str
    label: str
    sign: int
    order: int | None = None

    @property
    def side(self) -> str:
        """The side of a plot on which more diverse models lie."""
        return "right" if self.sign > 0 else "left"


ENTROPY = Axis(
    "entropy",
    "an entropy in nats per token",
    f"{catalogue.label(catalogue.ENTROPY)} (more is more diverse)",
    1,
)
SELF_BLEU = Axis(
    f"self-bleu-{SELF_BLEU_ORDER}",
    f"a self-BLEU-{SELF_BLEU_ORDER}",
    f"self-BLEU-{SELF_BLEU_ORDER} (less is more diverse)",
    -1,
    SELF_BLEU_ORDER,
)


class Primary:
    """Base of the primary metrics.

    The defaults suit a metric of real sequences alone, in nats. Such a metric only states `name`,
    `label`, `short`, `meaning`, `suits`, `of_real` and `ceiling`.

    Attributes:
        name: as in results.json.
        label: name for people.
        unit: of its values; empty for a plain number.
        short: abbreviation for the columns of a table.
        meaning: what it measures, as part of a sentence.
        in_nats: a difference below a fixed number of nats counts as none.
        axis: measure of diversity at equal values of which models are compared.
        families: ways of sampling MLE besides the temperature that it admits (see `decoding`).
        excluded: reason for the ways that it does not admit, as a sentence; empty if it admits all.
        limit: a value of MLE above which the metric tells nothing and `FALLBACK` takes its place.
        pooled: a difference of two models is estimated from the samples of both together (see
            `pooled`), and their diversities, which are entropies, likewise. False: each model has
            its own samples, no more than there are real sequences.
        exact: it takes the very density of a model; an estimate, or a bound, misleads it.
        biased: values are too large, by an amount that the bootstrap estimates.
        most_resamples: bootstrap resamples at most; None: as many as the settings say.
    """

    name: str
    label: str
    unit: str = ""
    short: str
    meaning: str
    in_nats: bool = True
    axis: Axis = ENTROPY
    families: tuple[str, ...] = tuple(FAMILIES)
    excluded: str = ""
    limit: float | None = None
    pooled: bool = True
    exact: bool = False
    biased: bool = False
    most_resamples: int | None = None

    @property
    def title(self) -> str:
        """Label and unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def suits(self, data: Dataset, config: EvaluationConfig) -> bool:
        """Tells if the metric can be measured on a data set with these settings."""
        raise NotImplementedError

    def prepare(self, data: Dataset, config: EvaluationConfig) -> Any:
        """Makes, once per data set, what `carry` needs."""
        return None

    def carry(self, prepared: Any, real: SequenceScores, drawn: Drawn, split: str) -> Any:
        """Makes what a point must carry so that its value can be taken over resampled rows.

        Args:
            prepared: result of `prepare`.
            real: scores of the split's sequences under the model.
            drawn: the model's samples.
            split: validation or test.
        """
        return None

    def num_real(self, point: Measured) -> int:
        """Number of real sequences behind a point's value."""
        return len(point.real.tokens)

    def value(self, point: Measured, real: Rows = ALL, own: Rows = ALL) -> float:
        """Value of a point over the rows given of real sequences and of samples."""
        return self.of_real(point, real)

    def of_real(self, point: Measured, rows: Rows = ALL) -> float:
        """The part of the value that real sequences have; for metrics that are `pooled`."""
        raise NotImplementedError

    def terms(self, of: Measured, log_q: np.ndarray) -> np.ndarray | None:
        """The part that samples have: terms [n], of which the expectation under a model is taken.

        Args:
            of: the point that the samples belong to.
            log_q: their log-probabilities [n] under the model.

        Returns:
            The terms; None: the metric has no part of samples.
        """
        return None

    def ceiling(self, measured: Mapping[str, float], real: Mapping[str, float]) -> float | None:
        """Value of real data, the best that a model can reach; None if unknown.

        Args:
            measured: figures of real data in a sweep (see `of_real_data`).
            real: scores of real data by name.
        """
        raise NotImplementedError

    def of_real_data(self, prepared: Any, count: int) -> dict[str, float]:
        """Figures of `count` real sequences that `ceiling` reads; empty if it needs none."""
        return {}
