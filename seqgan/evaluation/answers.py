"""Scores of conditional models: do samples have the label asked for, do answers fit their source.

A label is found by a classifier that learns from real sequences alone, which the generator was not
trained on where there are enough of them: otherwise what it has memorised would count as right. The
classifier's accuracy on real test sequences, among the scores of real data, says how far it can be
trusted. Answers to source texts
are the model's likeliest tokens, compared with the test split's answers to the same source by
sacreBLEU: corpus BLEU and chrF, with the signatures that reproduce them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rollout import Policy, Sampler, Sequences

from ..data.dataset import Dataset
from ..data.prompts import Questions
from ..metrics import Score
from ..metrics.label_classifier import LabelClassifier
from ..metrics.likelihood import SequenceScores
from ..models.generator import emitting
from ..seeding import derive_seed
from ..training.sampling import draw
from .pictures import has_pictures
from .scoring import Scorer

__all__ = ["AnswerScores", "per_label"]

LEAST_OF_LABEL = 100
"""Sequences of each label that a classifier needs to learn from those that no generator saw."""
MOST_LABELS = 20
"""Labels that have scores of their own; with more there is the score over all."""


def per_label(name: str, label: str) -> str:
    """Name of a score of the sequences with one label: ``nll@positive``."""
    return f"{name}@{label.replace('|', '/')}"


class AnswerScores:
    """Scores of what the models of a conditional data set answer.

    Args:
        data: with labels, source texts, or both.
        score: makes scores and their intervals.
        count: answers to source texts, at most.
    """

    def __init__(self, data: Dataset, score: Scorer, count: int):
        self.data, self.score = data, score
        self.names = data.conditions.labels
        self.classifier: LabelClassifier | None = None
        if self.names and not has_pictures(data):  # those have a classifier of their own
            self.classifier = self._learnt()
        if data.conditions.source is not None:
            self._read_pairs(count)

    def _learnt(self) -> LabelClassifier:
        """A classifier of the labels, trained on splits that no generator saw if they suffice."""
        data, count = self.data, len(self.names)
        rows = [*data.codec.tokens(data.heldout), *data.codec.tokens(data.validation)]
        labels = torch.cat([each.condition["label"] for each in (data.heldout, data.validation)])
        self.learnt_on = "heldout+validation"
        if int(labels.bincount(minlength=count).min()) < LEAST_OF_LABEL:
            rows, labels = data.codec.tokens(data.train), data.train.condition["label"]
            self.learnt_on = "train"
        return LabelClassifier(rows, labels.tolist(), count)

    def model(self, policy: Policy, samples: Sequences, test: SequenceScores) -> list[Score]:
        """All scores of a model.

        Args:
            policy: the model.
            samples: drawn for the conditions of test sequences.
            test: likelihoods of the test split.
        """
        scores = []
        if self.names:
            scores += self._accuracy(samples)
            labels = self.data.test.condition["label"]
            for i, name in self._shown():
                if (mine := (labels == i).numpy()).any():
                    scores.append(self.score.ratio(
                        per_label("nll", name), -test.log_prob.numpy()[mine],
                        test.tokens.numpy()[mine], "lower", on="test", label=_plain(name),
                    ))  # fmt: skip
        if self.data.conditions.source is not None:
            scores += self._pairs(policy)
        return scores

    def real(self) -> list[Score]:
        """The accuracy of the classifier on real test sequences, which it has not seen."""
        return self._accuracy(self.data.test)

    def _accuracy(self, sequences: Sequences) -> list[Score]:
        if self.classifier is None:
            return []
        asked = sequences.condition["label"].cpu().numpy()
        found = self.classifier.labels(self.data.codec.tokens(sequences))
        right = (found == asked).astype(float)
        settings: dict[str, Any] = {"classifier": "naive-bayes-1-2", "on": self.learnt_on}
        scores = [self.score.share("label-accuracy", right, "higher", **settings)]
        for i, name in self._shown():
            if (mine := asked == i).any():
                scores.append(self.score.share(
                    per_label("label-accuracy", name), right[mine], "higher",
                    **settings, label=_plain(name),
                ))  # fmt: skip
        return scores

    def _shown(self) -> list[tuple[int, str]]:
        """The labels that have scores of their own."""
        return list(enumerate(self.names)) if 1 < len(self.names) <= MOST_LABELS else []

    def _read_pairs(self, count: int) -> None:
        """Notes the different sources of the test split, and the answers to each."""
        condition, texts = self.data.test.condition, self.data.codec.texts(self.data.test)
        columns = [condition["source"].tolist(), condition["source_length"].tolist()]
        labels = condition["label"].tolist() if self.names else [0] * len(texts)
        rows = zip(*columns, labels, strict=True)
        keys = [(label, *source[:length]) for source, length, label in rows]
        first: dict[Any, int] = {}
        answers: dict[Any, list[str]] = {}
        for row, (key, text) in enumerate(zip(keys, texts, strict=True)):
            first.setdefault(key, row)
            answers.setdefault(key, []).append(text)
        chosen = list(first)[:count]
        self.questions = self.data.test.select(torch.tensor([first[key] for key in chosen]))
        self.answers = [answers[key] for key in chosen]

    def _pairs(self, policy: Policy) -> list[Score]:
        """Corpus BLEU and chrF of the likeliest answers."""
        from sacrebleu.metrics import BLEU, CHRF

        asked = Questions(condition=self.questions.condition)
        rng = torch.Generator().manual_seed(0)  # nothing is drawn
        found = draw(emitting(policy), len(asked), rng, asked, sampler=Sampler(top_k=1)).sequences
        texts = self.data.codec.texts(found)
        most = max(map(len, self.answers))
        # A stream per reference; None where a source has fewer answers than others.
        streams: Any = [
            [each[k] if k < len(each) else None for each in self.answers] for k in range(most)
        ]
        scores = []
        for name, metric in (("pair-bleu", BLEU()), ("pair-chrf", CHRF())):
            value = metric.corpus_score(texts, streams).score / 100
            interval = self._pair_interval(metric, texts, streams)
            bootstrap = f"{self.score.confidence:g}/{self.score.resamples}"
            scores.append(Score(
                name, value, interval, len(texts), "higher",
                f"metric:{name}|scale:0-1|decoding:greedy|refs:test|n:{len(texts)}|"
                f"bootstrap:{bootstrap}|seed:{self.score.seed}|{metric.get_signature()}",
            ))  # fmt: skip
        return scores

    def _pair_interval(
        self, metric: Any, texts: list[str], streams: Any
    ) -> tuple[float, float] | None:
        """The percentile interval of a corpus score over the answers; None for a single answer.

        sacreBLEU's own is always one of 95%, and lies around the mean of its resamples.
        """
        counts = np.array(metric._extract_corpus_statistics(texts, streams), dtype=np.float64)
        if len(counts) < 2:
            return None
        rng = np.random.default_rng(derive_seed(self.score.seed, "bootstrap"))
        draws = [
            metric._compute_score_from_stats(list(counts[rows].sum(0))).score / 100
            for rows in rng.integers(len(counts), size=(self.score.resamples, len(counts)))
        ]
        tail = (1 - self.score.confidence) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        return float(low), float(high)


def _plain(name: str) -> str:
    """A label as a signature can hold it."""
    return name.replace("|", "/")
