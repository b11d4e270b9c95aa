"""A generator in, a table of scores out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from rollout import Policy, Sequences, generate
from rollout.policy import TokenScores

from .config import EvaluationConfig
from .data.sources import Dataset
from .metrics import (
    Score,
    bleu,
    copied_share,
    distinct_n,
    self_bleu,
    signature,
    unique_share,
)
from .metrics.density import forward_kl_terms, jensen_shannon_terms, reverse_kl_terms
from .metrics.likelihood import SequenceScores, sequence_scores
from .metrics.score import Direction
from .seeding import derive_seed, rng_for

__all__ = ["Evaluator", "source_log_prob"]

ORDERS = (2, 3, 4, 5)


def source_log_prob(data: Dataset, sequences: Sequences) -> np.ndarray | None:
    """Log-probability [n] in nats under the source, or None where it has no known density."""
    if data.density is None:
        return None
    parts = [data.density.log_prob(part) for part in sequences.to("cpu").split(1_000)]
    return np.concatenate([part.double().numpy() for part in parts])


class Evaluator:
    """Measures models of one data set, all in the same way.

    Args:
        data: the data set; its test split is what models are compared with.
        config: sample counts and intervals.
        seed: of samples and bootstrap.
    """

    def __init__(self, data: Dataset, config: EvaluationConfig, seed: int):
        self.data, self.config, self.seed = data, config, seed
        self.references = data.real_tokens("test")
        self.training = data.real_tokens("train")
        # Self-BLEU grows with the number of sentences: models and real data get the same.
        self.count = min(config.num_samples, len(data.test))
        self.test_log_prob = source_log_prob(data, data.test)

    def model(self, policy: Policy, name: str) -> tuple[list[Score], Sequences]:
        """Scores of a model as it is (temperature 1), and the samples they were made from."""
        samples = generate(policy, self.count, rng=rng_for(self.seed, "samples", name))
        own = sequence_scores(policy, samples)
        test = sequence_scores(policy, self.data.test.to(samples.device))
        tokens = self.data.decoder.tokens(samples)
        scores = [
            self._ratio("nll", -test.log_prob.numpy(), test.tokens.numpy(), "lower", on="test"),
            self._ratio("entropy", own.entropy.numpy(), own.tokens.numpy(), "none", on="samples"),
            *self._against_source(samples, own, test),
            *self._surface(tokens, bleu(tokens, self.references, 5, per_sentence=True), "test"),
        ]
        return scores, samples

    def real(self) -> list[Score]:
        """The same scores of the real test split: the ceiling.

        Its BLEU compares each test sequence with all the others of the split.
        """
        scores = []
        if self.test_log_prob is not None:
            tokens = self.data.test.lengths.numpy()
            scores.append(
                self._ratio("nll", -self.test_log_prob, tokens, "lower", on="test, source")
            )
            density: Any = self.data.density
            entropies: TokenScores = density(self.data.test)
            entropy = entropies.entropy.double().sum(1).numpy()
            scores.append(self._ratio("entropy", entropy, tokens, "none", on="test, source"))
            scores.append(
                self._ratio("nll-source", -self.test_log_prob, tokens, "lower", on="test")
            )
        others = self_bleu(self.references, 5, per_sentence=True)
        forward = {k: values[: self.count] for k, values in others.items()}
        return scores + self._surface(self.references[: self.count], forward, "test, others")

    def _against_source(
        self, samples: Sequences, own: SequenceScores, test: SequenceScores
    ) -> list[Score]:
        """Divergences from a source whose density is known, with Monte Carlo intervals."""
        log_p = source_log_prob(self.data, samples)
        if log_p is None or self.test_log_prob is None:
            return []
        log_q, tokens = own.log_prob.numpy(), own.tokens.numpy()
        possible = np.isfinite(log_p)
        only = None if possible.all() else "parsing"
        forward = forward_kl_terms(self.test_log_prob, test.log_prob.numpy())
        halves = (
            jensen_shannon_terms("p", self.test_log_prob, test.log_prob.numpy()),
            jensen_shannon_terms("q", log_p, log_q),
        )
        js = Score(
            "js",
            float(halves[0].mean() + halves[1].mean()),
            self._interval(lambda p, q, axis: p.mean(axis) + q.mean(axis), halves, paired=False),
            len(samples),
            "lower",
            signature("js", unit="nats/sequence", n=len(samples), seed=self.seed),
        )
        scores = [self._mean("forward-kl", forward, "lower", unit="nats/sequence")]
        if possible.sum() >= 2:
            reverse = reverse_kl_terms(log_p, log_q)
            scores.append(
                self._mean("reverse-kl", reverse, "lower", unit="nats/sequence", only=only)
            )
            scores.append(
                self._ratio(
                    "nll-source", -log_p[possible], tokens[possible], "lower", on="samples",
                    only=only,
                )
            )  # fmt: skip
        scores.append(js)
        if hasattr(self.data.density, "parses"):
            scores.append(self._mean("parses", possible.astype(float), "higher"))
        return scores

    def _surface(self, tokens: list[list[Any]], forward: dict[int, Any], refs: str) -> list[Score]:
        """Scores of token sequences alone: n-grams, uniqueness, copies, lengths."""
        n = len(tokens)
        own = self_bleu(tokens, 5, per_sentence=True)
        scores = [
            self._mean(f"bleu-{k}", forward[k], "higher", refs=refs, smooth="method1")
            for k in ORDERS
        ]
        scores += [
            self._mean(f"self-bleu-{k}", own[k], "lower", refs="leave-one-out", smooth="method1")
            for k in ORDERS
        ]
        distinct = distinct_n(tokens, 2)
        lengths = np.array([len(row) for row in tokens], dtype=float)
        scores += [
            Score(f"distinct-{k}", distinct[k], None, n, "higher", signature(f"distinct-{k}", n=n))
            for k in (1, 2)
        ]
        for name, value, direction in (
            ("unique", unique_share(tokens), "higher"),
            ("copied", copied_share(tokens, self.training), "none"),
        ):
            way: Direction = "higher" if direction == "higher" else "none"
            scores.append(Score(name, value, None, n, way, signature(name, n=n)))
        scores.append(self._mean("length", lengths, "none", unit="tokens"))
        return [score for score in scores if math.isfinite(score.value)]

    def _mean(self, name: str, values: np.ndarray, direction: Direction, **settings: Any) -> Score:
        interval = self._interval(lambda x, axis: x.mean(axis), (values,), paired=False)
        sign = signature(name, **settings, n=len(values), seed=self.seed)
        return Score(name, float(values.mean()), interval, len(values), direction, sign)

    def _ratio(
        self, name: str, total: np.ndarray, tokens: np.ndarray, direction: Direction,
        **settings: Any,
    ) -> Score:  # fmt: skip
        """A sum over sequences divided by their tokens: nats a token."""
        interval = self._interval(
            lambda a, b, axis: a.sum(axis) / b.sum(axis), (total, tokens.astype(float)), paired=True
        )
        sign = signature(name, unit="nats/token", **settings, n=len(total), seed=self.seed)
        value = float(total.sum() / tokens.sum())
        return Score(name, value, interval, len(total), direction, sign)

    def _interval(
        self, statistic: Callable[..., Any], values: Iterable[np.ndarray], *, paired: bool
    ) -> tuple[float, float] | None:
        """The percentile bootstrap interval of a statistic over sequences."""
        arrays = tuple(np.asarray(array, dtype=np.float64) for array in values)
        if any(len(array) < 2 for array in arrays):
            return None
        value = float(statistic(*arrays, axis=-1))
        if not math.isfinite(value):
            return None
        if all(np.ptp(array) == 0 for array in arrays):
            return (value, value)  # nothing varies: SciPy would warn and return NaN
        found = bootstrap(
            arrays,
            statistic,
            paired=paired,
            vectorized=True,
            n_resamples=self.config.resamples,
            batch=max(1, (1 << 22) // max(len(array) for array in arrays)),
            confidence_level=self.config.confidence,
            method="percentile",
            rng=np.random.default_rng(derive_seed(self.seed, "bootstrap")),
        ).confidence_interval
        return (float(found.low), float(found.high))
