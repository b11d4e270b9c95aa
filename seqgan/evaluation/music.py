"""Scores of tunes: pitch classes, scales, keys, density, repeated bars."""

from __future__ import annotations

import numpy as np
import torch

from rollout import Sequences

from ..data.dataset import Dataset
from ..data.music.codec import MusicCodec
from ..data.music.keys import KEYS, key_of, pitch_classes
from ..data.music.tunes import Tune
from ..metrics import Score
from ..metrics.music import bar_repetition, pitch_class_distance, scale_consistency
from ..seeding import rng_for
from .scoring import Scorer

__all__ = ["MusicScores"]


class MusicScores:
    """Scores of samples as music.

    Args:
        data: music.
        scorer: makes intervals and signatures.
        count: tunes that the distance is taken of: the same number of samples and of training
            tunes.
    """

    def __init__(self, data: Dataset, scorer: Scorer, count: int):
        assert isinstance(data.codec, MusicCodec)
        self.data, self.codec, self.scorer, self.count = data, data.codec, scorer, count
        self.test = self._sounding(self.codec.tunes(data.test))

    def scores(self, samples: Sequences) -> list[Score]:
        """Scores of a model's samples."""
        return self._scores(samples, self.codec.tunes(samples))

    def real(self) -> list[Score]:
        """The same of test tunes; the distance is that of the training tunes from them."""
        found = self._scores(self.data.test, self.codec.tunes(self.data.test))
        train = self.data.train
        rows = torch.randperm(len(train), generator=rng_for(0, "rows", "train"))[: self.count]
        training = self._sounding(self.codec.tunes(train.select(rows)))
        return [self._distance(training, "test, training sequences"), *found[1:]]

    def distributions(self, samples: Sequences | None) -> dict[str, np.ndarray]:
        """Notes per bar of each tune; of test tunes for None."""
        tunes = self.codec.tunes(self.data.test if samples is None else samples)
        found = [len(tune.notes) / len(tune.meters) for tune in tunes if tune.meters]
        return {"note-density": np.array(found)}

    def _scores(self, sequences: Sequences, tunes: list[Tune]) -> list[Score]:
        scorer, sounding = self.scorer, self._sounding(tunes)
        notes = np.array([len(tune.notes) for tune in tunes], dtype=float)
        bars = np.array([len(tune.meters) for tune in tunes], dtype=float)
        used = (sounding > 0).sum(1).astype(float)
        scale = np.array([scale_consistency(each) for each in sounding])
        repeated = np.array([bar_repetition(tune.bars()) for tune in tunes])
        return [
            self._distance(sounding[: self.count], "test"),
            scorer.mean("pitch-classes", used, "none"),
            scorer.share("scale-consistency", scale, "none"),
            *self._key(sequences, sounding),
            scorer.ratio("note-density", notes, bars, "none", "notes/bar"),
            scorer.share("bar-repetition", repeated, "none"),
            scorer.mean("bars", bars, "none"),
        ]

    def _key(self, sequences: Sequences, sounding: np.ndarray) -> list[Score]:
        """The share of tunes in the key asked for, if keys are asked for."""
        labels = self.data.conditions.labels
        if not labels:
            return []
        asked = [KEYS.index(labels[label]) for label in sequences.condition["label"].tolist()]
        right = np.array(  # silence has no key
            [x.any() and key_of(x) == key for x, key in zip(sounding, asked, strict=True)]
        )
        return [self.scorer.share("key-accuracy", right.astype(float), "higher")]

    def _distance(self, sounding: np.ndarray, refs: str) -> Score:
        """The distance of pitch classes from the test tunes'."""
        value = pitch_class_distance(sounding, self.test)
        return self.scorer.plain(
            "pitch-class-distance", value, len(sounding), "lower", refs=f"{refs}/{len(self.test)}"
        )

    @staticmethod
    def _sounding(tunes: list[Tune]) -> np.ndarray:
        return np.array([pitch_classes(tune.notes) for tune in tunes])
