"""A generator in, a table of scores out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rollout import Policy, Sequences, constrained
from rollout.completion import policy_device
from rollout.policy import TokenScores

from ..config import EvaluationConfig
from ..data.bounded import bounded
from ..data.dataset import Dataset
from ..data.text.one_line import read_line
from ..data.text.rows import chosen_rows
from ..metrics import Score, signature
from ..metrics.catalogue import JENSEN_SHANNON
from ..metrics.density import forward_kl_terms, jensen_shannon_terms, reverse_kl_terms
from ..metrics.likelihood import SequenceScores, sequence_scores, spelling_nll
from ..models.generator import emitting
from ..seeding import rng_for
from ..training.sampling import draw
from .answers import AnswerScores
from .domains import domain_scores
from .scoring import Scorer, Wording
from .text_scores import TextScores

__all__ = ["Evaluator", "real_texts", "real_words", "source_log_prob", "wording"]


def source_log_prob(data: Dataset, sequences: Sequences) -> np.ndarray | None:
    """Log-probability [n] in nats under the source, or None if its density is unknown."""
    if data.density is None:
        return None
    parts = [data.density.log_prob(part) for part in sequences.to("cpu").split(1_000)]
    return np.concatenate([part.double().numpy() for part in parts])


def wording(data: Dataset, config: EvaluationConfig) -> Wording:
    """The tokenizer and the treatment of unknown words in a data set's n-gram scores."""
    return Wording(data.codec.cut, None if config.match_unk else data.codec.unknown)


def real_words(data: Dataset, config: EvaluationConfig, split: str) -> Sequence[list[Any]]:
    """The tokens of a split for n-gram scores: as the source has them, or with ``<unk>``."""
    if config.match_unk:
        return data.codec.rows(getattr(data, split))
    return data.real_tokens(split)


def real_texts(data: Dataset, split: str, rows: torch.Tensor | None = None) -> list[str]:
    """A split as people read it, unknown words included; all of it, or the rows given.

    Each is one line, as samples are (see `one_line`).
    """
    tokens = data.real_tokens(split)
    chosen = tokens if rows is None else chosen_rows(tokens, rows.tolist())
    return [data.codec.line(row) for row in chosen]


class Evaluator:
    """Measures models of one data set, all in the same way.

    Args:
        data: the data set; its test split is what models are compared with, `num_real` sequences of
            it at most (see `bounded`).
        config: sample counts, intervals, and what is measured beyond the usual.
        seed: of samples and bootstrap.
        flags: what the flags of `config` begin with, for messages.

    Raises:
        ConfigError, MissingExtraError, DataError: what is to be measured with is not there.
    """

    def __init__(
        self, data: Dataset, config: EvaluationConfig, seed: int, flags: str = "--evaluation."
    ):
        self.data = data = bounded(data, config)
        self.config, self.seed = config, seed
        self.score = Scorer(config.resamples, config.confidence, seed)
        self.texts = TextScores(
            self.score, config.embedder, config.mauve, config.judge, config.judge_samples,
            config.metrics, flags,
        )  # fmt: skip
        self.wording = wording(data, config)
        self.references = list(real_words(data, config, "test"))
        self.training = real_words(data, config, "train")
        # Self-BLEU grows with the number of sentences: models and real data get the same.
        self.count = min(config.num_samples, len(data.test))
        self.answers: AnswerScores | None = None
        if data.conditions:
            self.answers = AnswerScores(data, self.score, self.count)
        # The same holds of distances and of what a model learns from samples.
        self.equal = min(self.count, len(data.train))
        self.domain = domain_scores(data, self.score, self.equal)
        rows = {
            split: torch.randperm(len(getattr(data, split)), generator=rng_for(seed, "rows", split))
            for split in ("train", "test")  # at random: neighbouring lines are often alike
        }
        self.train_rows, self.test_rows = rows["train"][: self.equal], rows["test"][: self.count]
        self.test_texts = real_texts(data, "test", self.test_rows[: self.equal])
        self.test_log_prob = source_log_prob(data, data.test)

    def model(self, policy: Policy, name: str) -> tuple[list[Score], Sequences]:
        """Scores of a model as it is (temperature 1), and the samples they were made from."""
        rng = rng_for(self.seed, "samples", name)
        rule = self.data.constraint
        emits = constrained(emitting(policy), rule)
        samples = draw(emits, self.count, rng, self.data.prompts("test")).sequences
        own = sequence_scores(constrained(policy, rule), samples)
        test = sequence_scores(policy, self.data.test.to(samples.device))
        tokens = self.data.codec.tokens(samples)
        nll = -test.log_prob.numpy()
        texts = self.data.codec.texts(samples)[: self.equal]
        scores = [
            self.score.ratio("nll", nll, test.tokens.numpy(), "lower", on="test"),
            *self._per_word(nll),
            self.score.ratio(
                "entropy", own.entropy.numpy(), own.tokens.numpy(), "none", on="samples"
            ),
            *self._against_source(samples, own, test if rule is None else self._under(policy)),
            *self._reverse(samples),
            *self.texts.scores(texts, self.test_texts, "test"),
            *([] if self.domain is None else self.domain.scores(samples)),
            *([] if self.answers is None else self.answers.model(policy, samples, test)),
            *self.score.overlap(tokens, self.references, self.wording, "test"),
            *self.score.surface(tokens, self.wording, self.training),
        ]
        return scores, samples

    def real(self) -> list[Score]:
        """The same scores of real sequences: the ceiling.

        For BLEU, real sequences that no model was trained on (validation and held-out) are
        compared with the test split. The test split itself, each sequence against the others,
        would flatter where sequences come in families, such as several captions of one picture.
        What depends on the number of sequences is left out where there are too few of them; the
        embedding distances and the reverse perplexity take training sequences.
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
        scores += self._reverse(self.data.train.select(self.train_rows))
        training = real_texts(self.data, "train", self.train_rows)
        scores += self.texts.distances(training, self.test_texts, "test, training sequences")
        scores += self.texts.judged(self.test_texts)
        if self.domain is not None:
            scores += self.domain.real()
        if self.answers is not None:
            scores += self.answers.real()
        others = [
            row
            for split in ("validation", "heldout")
            for row in real_words(self.data, self.config, split)
        ]
        refs = "test, real others"
        scores += self.score.bleu(others, self.references, self.wording, refs)
        if len(others) >= self.count:
            # At random: neighbouring lines are often alike.
            order = torch.randperm(len(others), generator=rng_for(self.seed, "rows", "others"))
            some = [others[row] for row in order[: self.count].tolist()]
            scores += self.score.recall(some, self.references, self.wording, refs)
        shown = [self.references[row] for row in self.test_rows.tolist()]
        return scores + self.score.surface(shown, self.wording, self.training)

    def distributions(self, drawn: dict[str, Sequences]) -> dict[str, dict[str, list[float]]]:
        """Values whose histograms the report shows, by metric and model; empty for most data.

        Args:
            drawn: samples of each model; real sequences are added.
        """
        found: dict[str, dict[str, list[float]]] = {}
        if self.domain is None:
            return found
        for model, samples in {"real": None, **drawn}.items():
            for name, values in self.domain.distributions(samples).items():
                found.setdefault(name, {})[model] = [float(f"{x:.4g}") for x in values.tolist()]
        return found

    def _per_word(self, nll: np.ndarray) -> list[Score]:
        """Held-out likelihood a word and a character of text, so that vocabularies compare.

        ``<unk>`` stands for many words, so what it hides is charged for: see `spelling_nll`.
        """
        codec = self.data.codec
        if self.data.density is not None or codec.unknown is None:
            return []
        texts = [read_line(line) for line in real_texts(self.data, "test")]
        unknown = [codec.lacks(row) for row in self.data.real_tokens("test")]
        total = nll + spelling_nll(unknown, self._alphabet)
        words = np.array([len(text.split()) for text in texts])
        characters = np.array([len(text) for text in texts])
        settings: dict[str, Any] = {"on": "test", "unk": "spelled"}
        return [
            self.score.ratio("nll-word", total, words, "lower", "nats/word", **settings),
            self.score.ratio("nll-char", total, characters, "lower", "nats/character", **settings),
        ]

    @functools.cached_property
    def _alphabet(self) -> int:
        """Different characters in the training data."""
        characters: set[str] = set()
        for row in self.data.real_tokens("train"):
            characters.update(*row)
        return len(characters)

    def _reverse(self, samples: Sequences) -> list[Score]:
        """Reverse perplexity, where it was asked for."""
        if not self.config.reverse_perplexity:
            return []
        from .reverse import reverse_scores

        found = reverse_scores(
            samples.select(slice(0, self.equal)), self.data.test, self.data.spec, self.seed
        )
        return [
            self.score.ratio(
                "reverse-perplexity", -found.log_prob.numpy(), found.tokens.numpy(), "lower",
                "1/token", exponential=True, on="test", samples=self.equal, lm="lstm-128",
            )
        ]  # fmt: skip

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
        return [
            *scores,
            *self.score.overlap(tokens, self.references, self.wording, "test"),
            *self.score.surface(tokens, self.wording, self.training),
        ]

    def _under(self, policy: Policy) -> SequenceScores:
        """Scores of the test split under the constraint."""
        policy = constrained(policy, self.data.constraint)
        return sequence_scores(policy, self.data.test.to(policy_device(policy)))

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
            JENSEN_SHANNON,
            float(halves[0].mean() + halves[1].mean()),
            self.score.interval(lambda p, q: p + q, halves, paired=False),
            len(samples),
            "lower",
            signature(JENSEN_SHANNON, unit="nats/sequence", n=len(samples), seed=self.seed),
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
            scores.append(self.score.share("parses", possible.astype(float), "higher"))
        return scores
