"""The held-out likelihood."""

from __future__ import annotations

from collections.abc import Mapping

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue
from ..pooled import ALL, Rows
from .base import Measured, Primary

__all__ = ["HeldOutLikelihood"]


class HeldOutLikelihood(Primary):
    """Negative log-likelihood of real sequences that the model never saw."""

    name = catalogue.NLL
    label, unit = catalogue.label(name, unit=False), catalogue.TOKEN
    short = "NLL"
    meaning = (
        "the held-out NLL: how badly the model predicts real sequences that it never saw, in nats "
        "per token; lower is better"
    )
    families = ()
    excluded = (
        "Ways to sample that drop unlikely text (top-p, rejection) had no part in it: they give "
        "some real sequences no probability, and the held-out NLL is infinite."
    )

    def suits(self, data: Dataset, config: EvaluationConfig) -> bool:
        """Every data set has it."""
        return True

    def of_real(self, point: Measured, rows: Rows = ALL) -> float:
        """All nats over all tokens."""
        log_q = point.real.log_prob.numpy()[rows]
        return float(-log_q.sum() / point.real.tokens.numpy()[rows].sum())

    def ceiling(self, measured: Mapping[str, float], real: Mapping[str, float]) -> float | None:
        """Entropy of the source, if its density is known."""
        return real.get(self.name)
