"""Primary metrics: the numbers that a verdict may rest on, each with all that depends on it.

A primary metric is one class and one line in `PRIMARY`. Sweep, comparison, bootstrap, report and
benchmarks ask the object; none of them knows a metric by name. Lower is better for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..config import EvaluationConfig
from ..data.dataset import Dataset
from ..metrics import catalogue, frechet_distance
from ..metrics.density import jensen_shannon_terms
from ..metrics.embedding import FRECHET_RESAMPLES
from ..metrics.likelihood import SequenceScores
from .decoding import FAMILIES
from .models import random_rows, real_texts, source_log_prob
from .pooled import ALL, Drawn, Rows
from .text_scores import optional_embedder

__all__ = [
    "FALLBACK", "PRIMARY", "Axis", "Densities", "Embedded", "EmbeddingDistance",
    "HeldOutLikelihood", "JensenShannon", "Measured", "Primary", "choose",
]  # fmt: skip

SATURATED = 0.95 * float(np.log(2))
"""From here on a Jensen-Shannon divergence, which cannot exceed log 2, tells nothing."""
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
        pooled: a difference of two models is estimated from the samples of both (see `pooled`);
            False: each model has its own samples, as many as there are real sequences.
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
        """What a point must carry so that its value can be taken over resampled rows.

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


class Densities(NamedTuple):
    """What a Jensen-Shannon divergence needs of a point.

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
    label = "Jensen-Shannon divergence"
    unit = "nats per sequence"
    short = "JS"
    meaning = (
        "the Jensen-Shannon divergence from the source of the data, in nats per sequence: 0 if "
        "the model writes exactly what the source would, 0.693 if they have nothing in common"
    )
    limit = SATURATED

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
        texts = prepared.data.decoder.texts(drawn.samples.select(slice(0, n)))
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


class HeldOutLikelihood(Primary):
    """Negative log-likelihood of real sequences that the model never saw."""

    name = catalogue.NLL
    label = "held-out NLL"
    unit = "nats per token"
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


PRIMARY: dict[str, Primary] = {
    metric.name: metric for metric in (JensenShannon(), EmbeddingDistance(), HeldOutLikelihood())
}
"""The primary metrics by name. The first that suits data and settings is taken."""
FALLBACK = PRIMARY[catalogue.NLL]


def choose(data: Dataset, config: EvaluationConfig) -> Primary:
    """The primary metric of a data set."""
    return next(metric for metric in PRIMARY.values() if metric.suits(data, config))
