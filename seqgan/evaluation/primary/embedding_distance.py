"""Frechet distances between embeddings of samples and of real sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from rollout import Sequences

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue, frechet_distance
from ...metrics.embedding import FRECHET_RESAMPLES
from ...metrics.likelihood import SequenceScores
from ..distances import Space
from ..models import real_texts
from ..pooled import ALL, Drawn, Rows
from ..text_scores import optional_embedder
from .base import SELF_BLEU, Measured, Primary

__all__ = ["Embedded", "EmbeddingDistance", "FrechetMetric"]


class Embedded(NamedTuple):
    """Embeddings [n, E] of real sequences and of as many samples."""

    real: np.ndarray
    own: np.ndarray


class _Texts(Space):
    """Embeddings of texts."""

    def __init__(self, data: Dataset, config: EvaluationConfig):
        super().__init__(data)
        self.embed = optional_embedder(config.embedder)

    def samples(self, samples: Sequences) -> np.ndarray:
        """Embeddings [n, E] of samples."""
        return self._embedded(self.data.codec.texts(samples))

    def real(self, split: str, rows: torch.Tensor) -> np.ndarray:
        """Embeddings [n, E] of real texts, unknown words included."""
        return self._embedded(real_texts(self.data, split, rows))

    def _embedded(self, texts: list[str]) -> np.ndarray:
        assert self.embed is not None
        return self.embed(texts)


class FrechetMetric(Primary):
    """Frechet distance between the embeddings of samples and of real sequences.

    Diversity is a self-BLEU here: a rejected or cut distribution has no likelihood of real
    sequences to speak of, and distances are compared at samples that are equally varied. A metric
    states `name`, `label`, `short`, `meaning` and `suits`, and makes its `Space` in `prepare`.
    """

    in_nats = False
    axis = SELF_BLEU
    pooled = False
    biased = True
    most_resamples = FRECHET_RESAMPLES

    def carry(self, prepared: Any, real: SequenceScores, drawn: Drawn, split: str) -> Embedded:
        """Embeddings of real sequences and of as many samples."""
        assert drawn.samples is not None
        others = prepared.split(split)
        n = min(len(drawn.samples), len(others))
        return Embedded(others[:n], prepared.samples(drawn.samples.select(slice(0, n))))

    def num_real(self, point: Measured) -> int:
        """Number of real sequences whose embeddings a point carries."""
        return len(point.carried.real)

    def value(self, point: Measured, real: Rows = ALL, own: Rows = ALL) -> float:
        """Distance of the rows of samples from the rows of real sequences."""
        return frechet_distance(point.carried.own[own], point.carried.real[real])

    def ceiling(self, measured: Mapping[str, float], real: Mapping[str, float]) -> float | None:
        """Distance of training sequences from test sequences."""
        return measured.get(self.name)

    def of_real_data(self, prepared: Any, count: int) -> dict[str, float]:
        """Distance of training sequences from test sequences; empty if they are too few."""
        training = prepared.training(count)
        if training is None:
            return {}
        return {self.name: frechet_distance(training, prepared.split("test")[:count])}


class EmbeddingDistance(FrechetMetric):
    """Frechet distance between the embeddings of texts."""

    name = catalogue.FRECHET
    label = catalogue.label(name, unit=False)
    short = "FED"
    meaning = (
        "the Frechet embedding distance: how far the embeddings of samples lie from those of real "
        "sequences, in mean and spread; lower is better"
    )

    def suits(self, data: Dataset, config: EvaluationConfig) -> bool:
        """An embedder is asked for."""
        return config.embedder != "none"

    def prepare(self, data: Dataset, config: EvaluationConfig) -> Any:
        """The embedder."""
        return _Texts(data, config)
