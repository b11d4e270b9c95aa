"""Primary metrics: the numbers that a verdict may rest on, each with all that depends on it.

A primary metric is one class and one line in `PRIMARY`. Sweep, comparison, bootstrap, report and
benchmarks ask the object; none of them knows a metric by name. Lower is better for all of them.
"""

from __future__ import annotations

from ...config import EvaluationConfig
from ...data.dataset import Dataset
from ...metrics import catalogue
from .base import ENTROPY, Axis, Measured, Primary
from .embedding_distance import Embedded, EmbeddingDistance
from .jensen_shannon import Densities, JensenShannon
from .likelihood import HeldOutLikelihood
from .picture_distance import PictureDistance

__all__ = [
    "ENTROPY", "FALLBACK", "PRIMARY", "Axis", "Densities", "Embedded", "EmbeddingDistance",
    "HeldOutLikelihood", "JensenShannon", "Measured", "PictureDistance", "Primary",
    "choose", "title_of",
]  # fmt: skip

PRIMARY: dict[str, Primary] = {
    metric.name: metric
    for metric in (JensenShannon(), PictureDistance(), EmbeddingDistance(), HeldOutLikelihood())
}
"""The primary metrics by name. The first that suits data and settings is taken."""
FALLBACK = PRIMARY[catalogue.NLL]


def choose(data: Dataset, config: EvaluationConfig) -> Primary:
    """The primary metric of a data set: the one that is asked for, or the most telling."""
    if config.primary == "likelihood":
        return FALLBACK
    return next(metric for metric in PRIMARY.values() if metric.suits(data, config))


def title_of(name: str) -> str:
    """Label and unit of the primary metric of that name; an unknown name as it is."""
    metric = PRIMARY.get(name)
    return name if metric is None else metric.title
