"""Scores of pictures: how a classifier of real ones reads them."""

from __future__ import annotations

import numpy as np
import torch

from rollout import Sequences

from ..data.dataset import Dataset
from ..data.picture_codec import PictureCodec
from ..metrics import Score, frechet_distance, frechet_interval, signature
from ..metrics.catalogue import PICTURES
from ..metrics.classifier import PictureClassifier
from ..metrics.embedding import FRECHET_RESAMPLES
from ..seeding import derive_seed, rng_for
from .scoring import Scorer

__all__ = ["PictureScores", "PictureSpace", "has_pictures", "picture_scores"]


def has_pictures(data: Dataset) -> bool:
    """Tells if the sequences are pictures with known labels."""
    return isinstance(data.codec, PictureCodec) and {"train", "test"} <= data.labels.keys()


class PictureSpace:
    """A classifier of the training pictures, and the features of real ones.

    Args:
        data: pictures with labels.
    """

    def __init__(self, data: Dataset):
        assert isinstance(data.codec, PictureCodec)
        self.data, self.codec = data, data.codec
        pixels = self.codec.brightness(data.train)
        self.classifier = PictureClassifier(pixels, data.labels["train"].numpy())
        self._splits: dict[str, np.ndarray] = {}

    def split(self, name: str) -> np.ndarray:
        """Features [n, E] of a split, its rows in random order, the same for all seeds."""
        if name not in self._splits:
            rows = torch.randperm(len(getattr(self.data, name)), generator=rng_for(0, "rows", name))
            self._splits[name] = self.samples(getattr(self.data, name).select(rows))
        return self._splits[name]

    def samples(self, samples: Sequences) -> np.ndarray:
        """Features [n, E] of samples."""
        return self.classifier.features(self.codec.brightness(samples))

    def training(self, count: int) -> np.ndarray | None:
        """Features [count, E] of training pictures; None if they are too few."""
        return self.split("train")[:count] if len(self.data.train) >= count else None


class PictureScores:
    """Scores of samples as pictures.

    Args:
        space: the classifier.
        scorer: makes intervals and signatures.
    """

    def __init__(self, space: PictureSpace, scorer: Scorer):
        self.space, self.scorer = space, scorer

    def scores(self, samples: Sequences) -> list[Score]:
        """Distance from real pictures, confidence, and accuracy where a label was asked for."""
        condition = samples.condition or {}
        pixels = self.space.codec.brightness(samples)
        found = [*self._distance(self.space.samples(samples), "test"), self._confidence(pixels)]
        if "label" in condition:
            found.append(self._accuracy(pixels, condition["label"].cpu()))
        return found

    def real(self) -> list[Score]:
        """The same of real pictures: training pictures from test pictures, and test pictures."""
        data, codec = self.space.data, self.space.codec
        pixels = codec.brightness(data.test)
        return [
            *self._distance(self.space.split("train"), "test, training sequences"),
            self._confidence(pixels),
            self._accuracy(pixels, data.labels["test"]),
        ]

    def _distance(self, features: np.ndarray, refs: str) -> list[Score]:
        """The Frechet distance from as many test pictures."""
        scorer, real = self.scorer, self.space.split("test")
        n = min(len(features), len(real))
        x, y = features[:n], real[:n]
        interval = frechet_interval(
            x, y, scorer.confidence, scorer.resamples, derive_seed(scorer.seed, "frechet")
        )
        resamples = min(scorer.resamples, FRECHET_RESAMPLES)
        sign = signature(
            PICTURES, dim=x.shape[1], refs=f"{refs}/{n}", n=n,
            bootstrap=f"{scorer.confidence:g}/{resamples}, normal", seed=scorer.seed,
        )  # fmt: skip
        return [Score(PICTURES, frechet_distance(x, y), interval, n, "lower", sign)]

    def _confidence(self, pixels: np.ndarray) -> Score:
        return self.scorer.mean(
            "class-confidence", self.space.classifier.confidence(pixels), "none"
        )

    def _accuracy(self, pixels: np.ndarray, labels: torch.Tensor) -> Score:
        right = self.space.classifier.labels(pixels) == labels.numpy()
        return self.scorer.share("class-accuracy", right.astype(float), "higher")


def picture_scores(data: Dataset, scorer: Scorer) -> PictureScores | None:
    """The scores of pictures with known labels; None without labels."""
    return PictureScores(PictureSpace(data), scorer) if has_pictures(data) else None
