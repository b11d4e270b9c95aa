"""A model at one temperature, measured on one split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rollout import Sequences

from ..metrics.likelihood import SequenceScores
from .pooled import ALL, Rows
from .primary import FALLBACK, Primary

__all__ = ["Point"]


@dataclass(frozen=True)
class Point:
    """A model at one temperature, measured on one split.

    Attributes:
        temperature: softmax temperature; of another family its number (see `decoding`).
        real: the split's sequences under the model at this temperature.
        own: the model's samples under itself.
        metric: the primary metric.
        carried: what that metric needs besides (see `Primary.carry`).
        surface: n-gram scores of the samples against the test split (of a test point).
        samples: the samples, for another model to score.
        score: scores of any sequences under the model at this temperature.
        family: temperature, or how else the model was sampled.
        self_bleu: self-BLEU of each sample [n] if that is the axis of diversity, else None.
    """

    temperature: float
    real: SequenceScores
    own: SequenceScores
    metric: Primary = FALLBACK
    carried: Any = None
    surface: dict[str, float] = field(default_factory=dict)
    samples: Sequences | None = field(default=None, repr=False, compare=False)
    score: Callable[[Sequences], SequenceScores] | None = field(
        default=None, repr=False, compare=False
    )
    family: str = "temperature"
    self_bleu: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def num_real(self) -> int:
        """The number of real sequences behind the primary metric."""
        return self.metric.num_real(self)

    def entropy(self, rows: Rows = ALL) -> float:
        """The model's own entropy in nats per token."""
        return float(self.own.entropy.numpy()[rows].sum() / self.own.tokens.numpy()[rows].sum())

    def diversity(self, rows: Rows = ALL) -> float:
        """Place of the point on the axis of diversity: more is more diverse.

        It is the entropy, or minus the self-BLEU (see `Axis`).
        """
        return self.entropy(rows) if self.self_bleu is None else -float(self.self_bleu[rows].mean())

    def primary(self, real: Rows = ALL, own: Rows = ALL) -> float:
        """The primary metric over the rows given (all by default); lower is better."""
        return self.metric.value(self, real, own)

    def nll(self) -> float:
        """Held-out NLL in nats per token."""
        return float(-self.real.log_prob.sum() / self.real.tokens.sum())

    def under_source(self, log_p: np.ndarray) -> dict[str, float]:
        """The NLL under a known source, whose curve the SeqGAN paper shows, and what it costs.

        Args:
            log_p: log-probabilities of the samples under the source [n].

        Returns:
            "source_nll", of the samples; "source_possible", the share of them that the source could
            have written (the others are left out of the NLL, which is absent without any); and of
            the model "trained_nll", of real sequences, and "trained_entropy": as it was trained, if
            the temperature is 1. Nats per token.
        """
        possible, tokens = np.isfinite(log_p), self.own.tokens.numpy()
        found = {"source_possible": float(possible.mean())}
        if possible.any():
            found["source_nll"] = float(-log_p[possible].sum() / tokens[possible].sum())
        return {**found, "trained_nll": self.nll(), "trained_entropy": self.entropy()}

    def to_dict(self) -> dict[str, float | None]:
        """The point's figures for results.json."""
        nll = self.nll()
        return {
            self.family: self.temperature,
            "entropy": self.entropy(),
            "nll": nll if np.isfinite(nll) else None,
            "primary": self.primary(),
            **self.surface,
        }
