"""A generator in, a table of scores out."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollout import Policy, Sequences, generate
from rollout.policy import TokenScores

from .config import EvaluationConfig
from .data.sources import Dataset
from .metrics import Score, bleu, signature
from .metrics.density import forward_kl_terms, jensen_shannon_terms, reverse_kl_terms
from .metrics.likelihood import SequenceScores, sequence_scores
from .scoring import Scorer
from .seeding import rng_for

__all__ = ["Evaluator", "source_log_prob"]


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
        self.data, self.seed = data, seed
        self.score = Scorer(config.resamples, config.confidence, seed)
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
            self.score.ratio(
                "nll", -test.log_prob.numpy(), test.tokens.numpy(), "lower", on="test"
            ),
            self.score.ratio(
                "entropy", own.entropy.numpy(), own.tokens.numpy(), "none", on="samples"
            ),
            *self._against_source(samples, own, test),
            *self._surface(tokens, bleu(tokens, self.references, 5, per_sentence=True), "test"),
        ]
        return scores, samples

    def real(self) -> list[Score]:
        """The same scores of the real test split: the ceiling.

        For BLEU, real sequences that no model was trained on (validation and held-out) are
        compared with the test split. The test split itself, each sequence against the others,
        would flatter where sequences come in families, such as several captions of one picture.
        """
        scores = []
        if self.test_log_prob is not None:
            tokens = self.data.test.lengths.numpy()
            scores.append(
                self.score.ratio("nll", -self.test_log_prob, tokens, "lower", on="test, source")
            )
            density: Any = self.data.density
            entropies: TokenScores = density(self.data.test)
            entropy = entropies.entropy.double().sum(1).numpy()
            scores.append(self.score.ratio("entropy", entropy, tokens, "none", on="test, source"))
            scores.append(
                self.score.ratio("nll-source", -self.test_log_prob, tokens, "lower", on="test")
            )
        real = self.data.real_tokens("validation") + self.data.real_tokens("heldout")
        forward = bleu(real, self.references, 5, per_sentence=True)
        return scores + self._surface(self.references[: self.count], forward, "test, real others")

    def sequences(self, samples: Sequences, tokens: list[list[Any]]) -> list[Score]:
        """Scores of sequences that come from no model: what needs no likelihood of theirs.

        Args:
            samples: the sequences; two or more.
            tokens: the same as n-gram metrics compare them.
        """
        scores = []
        log_p = source_log_prob(self.data, samples)
        if log_p is not None and np.isfinite(log_p).all():
            lengths = samples.lengths.numpy()
            scores.append(self.score.ratio("nll-source", -log_p, lengths, "lower", on="samples"))
        forward = bleu(tokens, self.references, 5, per_sentence=True)
        return scores + self._surface(tokens, forward, "test")

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
            self.score.interval(
                lambda p, q, axis: p.mean(axis) + q.mean(axis), halves, paired=False
            ),
            len(samples),
            "lower",
            signature("js", unit="nats/sequence", n=len(samples), seed=self.seed),
        )
        scores = [self.score.mean("forward-kl", forward, "lower", unit="nats/sequence")]
        if possible.sum() >= 2:
            reverse = reverse_kl_terms(log_p, log_q)
            scores.append(
                self.score.mean("reverse-kl", reverse, "lower", unit="nats/sequence", only=only)
            )
            scores.append(
                self.score.ratio(
                    "nll-source", -log_p[possible], tokens[possible], "lower", on="samples",
                    only=only,
                )
            )  # fmt: skip
        scores.append(js)
        if hasattr(self.data.density, "parses"):
            scores.append(self.score.mean("parses", possible.astype(float), "higher"))
        return scores

    def _surface(self, tokens: list[list[Any]], forward: dict[int, Any], refs: str) -> list[Score]:
        """BLEU and what else can be said of token sequences without a model."""
        name = self.data.decoder.tokenizer.name
        return [
            *self.score.bleu(forward, name, refs),
            *self.score.surface(tokens, name, self.training),
        ]
