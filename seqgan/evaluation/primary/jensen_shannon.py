"""The Jensen-Shannon divergence from a source whose density is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue
from ...metrics.density import jensen_shannon_terms
from ...metrics.likelihood import SequenceScores
from ..models import source_log_prob
from ..pooled import ALL, Drawn, Rows
from .base import Measured, Primary

__all__ = ["Densities", "JensenShannon"]

SATURATED = 0.95 * float(np.log(2))
"""From here on a Jensen-Shannon divergence, which cannot exceed log 2, tells nothing."""


class Densities(NamedTuple):
    """Figures that a Jensen-Shannon divergence needs of a point.

    Attributes:
        own_source: log-probabilities of the samples under the source [n].
        real_terms: terms of the real sequences [m].
        own_terms: terms of the samples [n].
    """

    own_source: np.ndarray
    real_terms: np.ndarray
    own_terms: np.ndarray

    @classmethod
    def of(
        cls,
        real_source: np.ndarray,
        own_source: np.ndarray,
        real: SequenceScores,
        own: SequenceScores,
    ) -> Densities:
        """Takes the terms of both sets of sequences.

        Args:
            real_source: log-probabilities of real sequences under the source [m].
            own_source: those of the samples [n].
            real: scores of the real sequences under the model.
            own: scores of the samples.
        """
        return cls(
            own_source,
            jensen_shannon_terms("p", real_source, real.log_prob.numpy()),
            jensen_shannon_terms("q", own_source, own.log_prob.numpy()),
        )


class JensenShannon(Primary):
    """Jensen-Shannon divergence from a source whose density is known (Lin 1991)."""

    name = catalogue.JENSEN_SHANNON
    label, unit = f"{catalogue.label(name, unit=False)} divergence", catalogue.SEQUENCE
    short = "JS"
    meaning = (
        "the Jensen-Shannon divergence from the source of the data, in nats per sequence: 0 if "
        "the model writes exactly what the source would, 0.693 if they have nothing in common"
    )
    limit = SATURATED
    exact = True

    def suits(self, data: Dataset, config: EvaluationConfig) -> bool:
        """The source's density is known."""
        return data.density is not None

    def prepare(self, data: Dataset, config: EvaluationConfig) -> Any:
        """The data set, and the log-probabilities of its splits under the source."""
        splits = {"validation": data.validation, "test": data.test}
        return data, {name: source_log_prob(data, split) for name, split in splits.items()}

    def carry(self, prepared: Any, real: SequenceScores, drawn: Drawn, split: str) -> Densities:
        """Terms of real sequences and of samples."""
        data, log_prob = prepared
        assert drawn.samples is not None
        own_source = source_log_prob(data, drawn.samples)
        assert own_source is not None
        return Densities.of(log_prob[split], own_source, real, drawn.own)

    def value(self, point: Measured, real: Rows = ALL, own: Rows = ALL) -> float:
        """The mean term of real sequences plus the mean term of samples."""
        return self.of_real(point, real) + float(point.carried.own_terms[own].mean())

    def of_real(self, point: Measured, rows: Rows = ALL) -> float:
        """The mean term of real sequences."""
        return float(point.carried.real_terms[rows].mean())

    def terms(self, of: Measured, log_q: np.ndarray) -> np.ndarray:
        """Terms of samples of either model; 0 for those that this one never emits.

        A model that cuts off or rejects what is unlikely gives samples of the other probability 0;
        they weigh nothing.
        """
        terms, possible = np.zeros(len(log_q)), ~np.isneginf(log_q)
        log_p = of.carried.own_source
        terms[possible] = jensen_shannon_terms("q", log_p[possible], log_q[possible])
        return terms

    def ceiling(self, measured: Mapping[str, float], real: Mapping[str, float]) -> float | None:
        """0: a distribution does not differ from itself."""
        return 0.0
