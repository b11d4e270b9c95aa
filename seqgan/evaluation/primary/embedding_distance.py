"""The Frechet distance between embeddings of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue, frechet_distance
from ...metrics.embedding import FRECHET_RESAMPLES
from ...metrics.likelihood import SequenceScores
from ..models import random_rows, real_texts
from ..pooled import ALL, Drawn, Rows
from ..text_scores import optional_embedder
from .base import SELF_BLEU, Measured, Primary

__all__ = ["Embedded", "EmbeddingDistance"]


class Embedded(NamedTuple):
    """Embeddings [n, E] of real sequences and of as many samples."""

    real: np.ndarray
    own: np.ndarray


class _Embedder:
    """An embedder with the real sequences that it has embedded already."""

    def __init__(self, data: Dataset, config: EvaluationConfig):
        self.data, self.embed = data, optional_embedder(config.embedder)
        self._splits: dict[str, np.ndarray] = {}

    def texts(self, texts: list[str]) -> np.ndarray:
        """Embeddings [n, E] of texts."""
        assert self.embed is not None
        return self.embed(texts)

    def split(self, name: str) -> np.ndarray:
        """Embeddings [n, E] of a split, its rows in random order."""
        if name not in self._splits:
            rows = random_rows(self.data, name)
            self._splits[name] = self.texts(real_texts(self.data, name, rows))
        return self._splits[name]


class EmbeddingDistance(Primary):
    """Frechet distance between the embeddings of samples and of real sequences.

    Diversity is a self-BLEU here: a rejected or cut distribution has no likelihood of real
    sequences to speak of, and distances of texts are compared at texts that are equally varied.
    """

    name = catalogue.FRECHET
    label = "Frechet embedding distance"
    short = "FED"
    meaning = (
        "the Frechet embedding distance: how far the embeddings of samples lie from those of real "
        "sequences, in mean and spread; lower is better"
    )
    in_nats = False
    axis = SELF_BLEU
    pooled = False
    biased = True
    most_resamples = FRECHET_RESAMPLES

    def suits(self, data: Dataset, config: EvaluationConfig) -> bool:
        """An embedder is asked for."""
        return config.embedder != "none"

    def prepare(self, data: Dataset, config: EvaluationConfig) -> Any:
        """The embedder."""
        return _Embedder(data, config)

    def carry(self, prepared: Any, real: SequenceScores, drawn: Drawn, split: str) -> Embedded:
        """Embeddings of real sequences and of as many samples."""
        assert drawn.samples is not None
        others = prepared.split(split)
        n = min(len(drawn.samples), len(others))
        texts = prepared.data.codec.texts(drawn.samples.select(slice(0, n)))
        return Embedded(others[:n], prepared.texts(texts))

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
        data = prepared.data
        if len(data.train) < count:
            return {}
        training = prepared.texts(real_texts(data, "train", random_rows(data, "train")[:count]))
        return {self.name: frechet_distance(training, prepared.split("test")[:count])}
