"""Scores of texts that a setting switches on: Frechet embedding distance, MAUVE, a judge."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..config import EvaluationConfig
from ..errors import MetricError
from ..metrics import Score, mauve
from ..metrics.catalogue import FRECHET
from ..metrics.embedders import Embedder, load_embedder
from ..metrics.embedding import require_mauve
from ..metrics.judge import Judge, find_judge, load_judge
from ..seeding import derive_seed
from .distances import frechet_score
from .functions import FunctionScores, imported
from .scoring import Scorer

__all__ = ["TextScores", "check_available", "optional_embedder"]


def optional_embedder(name: str, flag: str = "--evaluation.embedder") -> Embedder | None:
    """The embedder that a setting names; None for ``none``.

    Raises:
        ConfigError, MissingExtraError: as `load_embedder`.
    """
    return None if name == "none" else load_embedder(name, flag)


def check_available(config: EvaluationConfig) -> None:
    """Says what an evaluation will lack, before hours of training; nothing large is loaded.

    Raises:
        ConfigError, MissingExtraError: an embedder, MAUVE, a judge or a function is not there.
    """
    optional_embedder(config.embedder)
    for name in config.metrics:
        imported(name, "--evaluation.metrics")
    if config.mauve:
        require_mauve()
    if config.judge != "none":
        find_judge(config.judge)


class TextScores:
    """Compares texts with real ones by what pretrained models make of them.

    Everything optional is loaded at once, so that what is missing is said before any work is done.

    Args:
        scorer: makes intervals and signatures.
        embedder: of the Frechet distance, as the setting names it.
        use_mauve: MAUVE of the embeddings as well.
        judge: the judge, as the setting names it.
        judge_samples: texts that it reads.
        functions: metrics of the user's own, as the setting names them.
        prefix: of the flags in messages.

    Raises:
        ConfigError, MissingExtraError, DataError: an optional part is not there.
    """

    def __init__(
        self,
        scorer: Scorer,
        embedder: str,
        use_mauve: bool,
        judge: str,
        judge_samples: int,
        functions: Sequence[str] = (),
        prefix: str = "--evaluation.",
    ):
        self.scorer, self.judge_samples = scorer, judge_samples
        self.embedder = optional_embedder(embedder, f"{prefix}embedder")
        self.functions = FunctionScores(functions, scorer, f"{prefix}metrics")
        self.use_mauve = use_mauve
        if use_mauve:
            require_mauve()
        self.judge: Judge | None = None
        if judge != "none":
            self.judge = load_judge(judge, f"{prefix}judge")
        self._real: tuple[tuple[str, ...], np.ndarray] | None = None

    def scores(self, texts: Sequence[str], real: Sequence[str], refs: str) -> list[Score]:
        """All scores that were asked for.

        Args:
            texts: what is judged.
            real: real texts to compare with, as many.
            refs: what those are.

        Raises:
            MetricError: the numbers differ, or an encoder fails.
        """
        return [*self.distances(texts, real, refs), *self.judged(texts)]

    def distances(self, texts: Sequence[str], real: Sequence[str], refs: str) -> list[Score]:
        """The Frechet distance, and MAUVE where it was asked for; empty without an embedder."""
        if self.embedder is None:
            return []
        if len(texts) != len(real):
            raise MetricError(f"equal numbers are compared, got {len(texts)} and {len(real)} texts")
        scorer, n = self.scorer, len(texts)
        x, y = self.embedder(texts), self._embedded(real)
        settings = {"embedder": self.embedder.name, "dim": x.shape[1], "refs": f"{refs}/{n}"}
        scores = [frechet_score(scorer, FRECHET, x, y, **settings)]
        if self.use_mauve:
            value = mauve(x, y, derive_seed(scorer.seed, "mauve") % (1 << 31))
            scores.append(scorer.plain("mauve", value, n, "higher", **settings, seed=scorer.seed))
        return scores

    def judged(self, texts: Sequence[str]) -> list[Score]:
        """Scores of texts alone: by functions of the user's, and by the judge.

        The judge's are nats per token (of its own) and per character, of the first texts.
        """
        own = self.functions.scores(texts)
        if self.judge is None:
            return own
        chosen = texts[: self.judge_samples]
        found = self.judge(chosen)
        characters = np.array([len(text) for text in chosen])
        scores = [
            self.scorer.ratio(
                name, found.nll, units, "lower", f"nats/{unit}", judge=self.judge.name
            )
            for name, units, unit in (
                ("judge-nll", found.tokens, "token of the judge"),
                ("judge-nll-char", characters, "character"),
            )
        ]
        return [*own, *(score for score in scores if math.isfinite(score.value))]

    def _embedded(self, real: Sequence[str]) -> np.ndarray:
        """Embeddings of real texts, which every model is compared with."""
        assert self.embedder is not None
        if self._real is None or self._real[0] != tuple(real):
            self._real = (tuple(real), self.embedder(real))
        return self._real[1]
