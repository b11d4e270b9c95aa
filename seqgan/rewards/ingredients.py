"""Materials of the terms of a reward."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from rollout import Policy, Sequences

from ..config import RewardConfig, RunConfig
from ..data.codec import Codec
from ..data.conditions import Conditions
from ..data.dataset import Dataset
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

    @classmethod
    def of(
        cls, config: RunConfig, data: Dataset, policy: Policy, reference: Policy,
        device: torch.device, *, load: Callable[[str], Policy], say: Callable[[str], None],
        discriminator: nn.Module | None = None, ensemble: Ensemble | None = None,
        mediator: Ensemble | None = None, pools: Pools | None = None,
    ) -> Ingredients:  # fmt: skip
        """The materials that a run's settings ask for, out of its data and models.

        Args:
            config: all settings.
            data: the data set.
            policy: the policy that is trained, or explained.
            reference: the pretrained policy.
            device: of the training sequences.
            load: reads the generator of a run's folder.
            say: is told of skipped sequences.
            discriminator: as the attribute, and so are those that follow.
            ensemble: MLE models with other seeds.
            mediator: an ensemble of one.
            pools: shared by the rewards of all stages; None: own ones.
        """
        return cls(
            data.train.to(device), data.codec, config.seed, discriminator=discriminator,
            policy=policy, reference=reference, ensemble=ensemble, mediator=mediator,
            config=config.reward, skip=config.on_reward_error == "skip", load=load, say=say,
            conditions=data.conditions, columns=config.corpus.columns(), pools=pools or Pools(),
        )  # fmt: skip
