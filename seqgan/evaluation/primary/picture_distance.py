"""The Frechet distance between pictures as a classifier sees them."""

from __future__ import annotations

from typing import Any

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue
from ..pictures import PictureSpace, has_pictures
from .embedding_distance import FrechetMetric

__all__ = ["PictureDistance"]


class PictureDistance(FrechetMetric):
    """Frechet distance between the features that a classifier of real pictures has of pictures."""

    name = catalogue.PICTURES
    label = catalogue.label(name, unit=False)
    short = "FPD"
    meaning = (
        "the Frechet distance of pictures: how far samples lie from real pictures as a classifier "
        "sees them, in mean and spread; lower is better"
    )

    def suits(self, data: Dataset, config: EvaluationConfig) -> bool:
        """The sequences are pictures with known labels."""
        return has_pictures(data)

    def prepare(self, data: Dataset, config: EvaluationConfig) -> Any:
        """The classifier, trained on the training split."""
        return PictureSpace(data)
