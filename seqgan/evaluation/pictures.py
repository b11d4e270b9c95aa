"""Scores of pictures: how a classifier of real ones reads them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch

from rollout import Sequences

from ..data.dataset import Dataset
from ..data.picture_codec import PictureCodec
from ..metrics import Score
from ..metrics.catalogue import PICTURES
from ..metrics.classifier import PictureClassifier
from .distances import Space, frechet_score
from .scoring import Scorer

__all__ = ["PictureScores", "PictureSpace", "has_pictures", "picture_scores"]

_TRAINED: WeakKeyDictionary[Sequences, PictureClassifier] = WeakKeyDictionary()
"""The classifier of each training split in memory: a sweep and the scores use the same."""


def has_pictures(data: Dataset) -> bool:
    """Tells if the sequences are pictures with known labels."""
    return isinstance(data.codec, PictureCodec) and {"train", "test"} <= data.labels.keys()


class PictureSpace(Space):
    """A classifier of the training pictures, and the features of real ones.

    Args:
        data: pictures with labels.
    """

    def __init__(self, data: Dataset):
        super().__init__(data)
        assert isinstance(data.codec, PictureCodec)
        self.codec = data.codec
        if data.train not in _TRAINED:
            pixels = self.codec.brightness(data.train)
            _TRAINED[data.train] = PictureClassifier(pixels, data.labels["train"].numpy())
        self.classifier = _TRAINED[data.train]

    def samples(self, samples: Sequences) -> np.ndarray:
        """Features [n, E] of samples."""
        return self.classifier.features(self.codec.brightness(samples))

    def real(self, split: str, rows: torch.Tensor) -> np.ndarray:
        """Features [n, E] of real pictures."""
        return self.samples(getattr(self.data, split).select(rows))


class PictureScores:
    """Scores of samples as pictures.

    Args:
        space: the classifier.
        scorer: makes intervals and signatures.
        count: pictures that distances are taken of: the same number of samples and of training
            pictures, of which the test split and the training split have as many.
    """

    def __init__(self, space: PictureSpace, scorer: Scorer, count: int):
        self.space, self.scorer, self.count = space, scorer, count

    def scores(self, samples: Sequences) -> list[Score]:
        """Distance from real pictures, confidence, and accuracy where a label was asked for."""
        condition = samples.condition or {}
        pixels = self.space.codec.brightness(samples)
        features = self.space.samples(samples.select(slice(0, self.count)))
        found = [self._distance(features, "test"), self._confidence(pixels)]
        if "label" in condition:
            found.append(self._accuracy(pixels, condition["label"].cpu()))
        return found

    def distributions(self, samples: Sequences | None) -> dict[str, np.ndarray]:
        """None: a picture has no number of its own that is read as a histogram."""
        return {}

    def real(self) -> list[Score]:
        """The same of real pictures: training pictures from test pictures, and test pictures."""
        data, codec = self.space.data, self.space.codec
        pixels, training = codec.brightness(data.test), self.space.training(self.count)
        assert training is not None
        return [
            self._distance(training, "test, training sequences"),
            self._confidence(pixels),
            self._accuracy(pixels, data.labels["test"]),
        ]

    def _distance(self, features: np.ndarray, refs: str) -> Score:
        """The Frechet distance from as many test pictures."""
        n = len(features)
        real = self.space.split("test")[:n]
        settings = {"dim": features.shape[1], "refs": f"{refs}/{n}"}
        return frechet_score(self.scorer, PICTURES, features, real, **settings)

    def _confidence(self, pixels: np.ndarray) -> Score:
        return self.scorer.mean(
            "class-confidence", self.space.classifier.confidence(pixels), "none"
        )

    def _accuracy(self, pixels: np.ndarray, labels: torch.Tensor) -> Score:
        right = self.space.classifier.labels(pixels) == labels.numpy()
        return self.scorer.share("class-accuracy", right.astype(float), "higher")


def picture_scores(data: Dataset, scorer: Scorer, count: int) -> PictureScores | None:
    """The scores of pictures with known labels; None without labels."""
    return PictureScores(PictureSpace(data), scorer, count) if has_pictures(data) else None
