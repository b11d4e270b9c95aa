"""Materials of the terms of a reward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from rollout import Policy, Sequences

from ..config import RewardConfig
from ..data.codec import Codec
from ..data.conditions import Conditions
from ..models import Ensemble
from .workers import Pools

__all__ = ["Ingredients"]


def _no_models(folder: str) -> Policy:
    raise NotImplementedError(folder)


@dataclass(frozen=True)
class Ingredients:
    """Materials of the terms; each takes what it needs.

    Attributes:
        train: the training sequences, on the run's device.
        codec: token ids to text.
        seed: of the random control, and of references that are drawn.
        discriminator: the network behind discriminator terms; None if there is none.
        policy: the policy that is trained.
        reference: the pretrained policy.
        ensemble: MLE models with other seeds; None if there are none.
        mediator: the model of data and samples alike, as an ensemble of one; None if there is none.
        config: how functions are called.
        skip: a function that fails abstains, and training goes on.
        load: reads the generator of a run's folder.
        say: is told of skipped sequences.
        conditions: what sequences can be asked for by.
        columns: the data's own names of its parts, label and source.
        pools: the workers that call functions.
    """

    train: Sequences
    codec: Codec
    seed: int
    discriminator: nn.Module | None = None
    policy: Policy | None = None
    reference: Policy | None = None
    ensemble: Ensemble | None = None
    mediator: Ensemble | None = None
    config: RewardConfig = field(default_factory=RewardConfig)
    skip: bool = False
    load: Callable[[str], Policy] = _no_models
    say: Callable[[str], None] = print
    conditions: Conditions = field(default_factory=Conditions)
    columns: Mapping[str, str] = field(default_factory=dict)
    pools: Pools = field(default_factory=Pools)
