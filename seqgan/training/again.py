"""MLE again, once the features that the generator reads are those of a trained discriminator."""

from __future__ import annotations

from dataclasses import replace

from ..config import RunConfig
from ..data.dataset import Dataset
from ..models import Discriminator, Generator
from .pretrain import Pretraining
from .runtime import Runtime

__all__ = ["mle_again"]


def mle_again(
    generator: Generator,
    discriminator: Discriminator | None,
    config: RunConfig,
    data: Dataset,
    runtime: Runtime,
    stage: str,
    *,
    phase: bool = False,
) -> None:
    """Trains a generator by MLE with the features of a discriminator, or what is left of it.

    LeakGAN (Guo et al. 2018) pretrains both in turn. Here MLE comes first, with a discriminator
    whose weights are random, so the likelihood drops when the trained features arrive.

    Args:
        generator: trained in place; the best state on validation is kept.
        discriminator: as its training left it.
        config: epochs in `adversarial`, the rest as in `pretrain`.
        data: the data set.
        runtime: device, seed, log.
        stage: of the log.
        phase: it is the phase of the run of that name, and has a state in checkpoints.
    """
    if not config.adversarial.mle_epochs or discriminator is None:
        return
    generator.see(discriminator)
    settings = replace(config.pretrain, epochs=config.adversarial.mle_epochs)
    work = Pretraining(generator, data.train, data.validation, settings, runtime, stage)
    if phase:
        runtime.enter(stage, again=work)
    work.run("MLE again", "MLE with the discriminator's features")
