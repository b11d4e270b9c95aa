"""Protocols of the players of the adversarial loop, and the materials that they are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from rollout import Constraint, Policy, Reward, Sequences

from ..data.codec import Codec
from ..data.prompts import Prompts
from ..models import Discriminator, Ensemble, Generator
from ..rewards.stages import Stages
from .learner import Learner
from .runtime import Runtime
from .showing import SampleTable

__all__ = ["Actor", "Materials", "Player"]


class Player(Protocol):
    """One side of the rounds: a model and how it takes its steps."""

    @property
    def trained(self) -> nn.Module:
        """The model."""

    @property
    def learner(self) -> Learner:
        """Gradient steps of the model."""

    def steps(self, count: int) -> None:
        """Takes `count` steps, or what is left of them after a resume; logs itself."""

    def soften(self) -> None:
        """Continues with smaller steps from a state that was put back into `trained`."""

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the weights of `trained`."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restores it."""


class Actor(Player, Protocol):
    """The player of the generator."""

    @property
    def spread(self) -> float:
        """Standard deviation of the advantages per token, mean over the steps so far."""

    def sampling(self) -> Policy | None:
        """The policy that its samples are drawn from; None: the one that is trained."""

    @property
    def calls(self) -> int:
        """Sequences that were judged so far."""

    @property
    def shows(self) -> bool:
        """Tells if it shows its samples itself."""

    @property
    def settled(self) -> bool:
        """Tells if the last reward judges: no stages are left."""

    @property
    def done(self) -> bool:
        """Tells if the budget of reward calls is spent: `steps` then takes no more."""


@dataclass(frozen=True)
class Materials:
    """Materials of the generator's player; each takes what it needs.

    Attributes:
        generator: the policy, trained in place.
        reference: the pretrained policy.
        reward: the judgement of complete sequences.
        discriminator: the network, or None if no reward needs one.
        ensemble: MLE models with other seeds, or None if no reward needs them.
        train: the training sequences.
        prompts: what the generator is asked for.
        runtime: device, seed, log.
        stage: name of the player's steps in the log, and of their random numbers.
        table: shows samples with their rewards; None: nobody looks.
        calls: sequences that may be judged; 0: no limit.
        stages: rewards that follow one another, `reward` the first; None: it stays.
        codec: token ids to texts; None: nothing asks for texts.
        constraint: the tokens that may follow a prefix of a sample; None: all.
    """

    generator: Generator
    reference: Generator
    reward: Reward
    discriminator: Discriminator | None
    train: Sequences
    prompts: Prompts
    runtime: Runtime
    stage: str = "adversarial"
    ensemble: Ensemble | None = None
    table: SampleTable | None = None
    calls: int = 0
    stages: Stages | None = None
    codec: Codec | None = None
    constraint: Constraint | None = None
