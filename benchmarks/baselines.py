"""Controls that are functions: maximum likelihood alone, with the same data and work.

Each is ``(mle, data, config, runtime, **arguments) -> policy`` as a method of a user's own, and
may ask for ``members``, MLE models of the same data with other seeds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from rollout import Policy
from rollout.policy import TemperedPolicy
from seqgan.config import RunConfig
from seqgan.data.dataset import Dataset
from seqgan.metrics.likelihood import token_nll
from seqgan.models import Ensemble, Generator
from seqgan.seeding import derive_seed
from seqgan.training.pretrain import pretrain
from seqgan.training.runtime import Runtime

__all__ = ["best_of_seeds", "continued", "cooled", "together", "unchanged"]


def continued(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime, dropout: bool = True
) -> Policy:
    """MLE going on: early stopping from the shared model, the learning rate started again lower.

    The shared model itself is kept where no epoch is better on validation.

    Args:
        mle: a copy of the shared model.
        data: the data set.
        config: settings.
        runtime: device, seed, log.
        dropout: drop units as before.
    """
    model: Any = mle
    if not dropout:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    start, state = token_nll(mle, data.validation.to(runtime.device)), model.state_dict()
    state = {key: value.clone() for key, value in state.items()}
    usual = config.pretrain.optimizer
    optimizer = replace(usual, learning_rate=usual.learning_rate * usual.factor)
    settings = replace(config.pretrain, optimizer=optimizer, early_stopping=True)
    # Other random numbers than the first time: order of the data and dropout.
    again = replace(runtime, seed=derive_seed(config.seed, "mle-continued"))
    work = pretrain(model, data.train, data.validation, settings, again)
    runtime.tokens, runtime.operations = again.tokens, again.operations
    if work.best_nll >= start:
        model.load_state_dict(state)
    return mle


def best_of_seeds(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime, members: list[Generator]
) -> Policy:
    """The best on validation of the shared MLE model and of those with other seeds."""
    validation = data.validation.to(runtime.device)
    return min([mle, *members], key=lambda each: token_nll(each, validation))


def together(
    mle: Policy,
    data: Dataset,
    config: RunConfig,
    runtime: Runtime,
    members: list[Generator],
    combination: str,
) -> Policy:
    """The ensemble itself: what the policy is drawn towards, at the cost of all its members."""
    return Ensemble(members, combination)


def unchanged(mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime) -> Policy:
    """The model that a method begins with, as it is."""
    return mle


def cooled(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime, temperature: float
) -> Policy:
    """MLE at another temperature, passed off as a method: what must not be called better.

    It is no model that could be written: a network with tied embeddings has no output layer of its
    own, which a temperature would change.
    """
    return TemperedPolicy(mle, temperature)
