"""Adversarial fine-tuning, whole: discriminator, reward, rounds, and the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config import RunConfig
from ..config.components import build
from ..data.dataset import Dataset
from ..models import Discriminator, Ensemble, Generator, make_discriminator
from ..rewards.build import build_reward
from ..rewards.ratio import RatioReward
from ..seeding import derive_seed
from .adversarial import adversarial
from .critic import Critic
from .critic_pretraining import pretrain_critic
from .health import Health
from .players import Actor, Materials
from .rounds import Rounds, Validation
from .runtime import Runtime

__all__ = ["FineTuning"]


@dataclass
class FineTuning:
    """A generator on its way from MLE to the best state of the rounds.

    Attributes:
        config: all settings.
        data: the data set.
        generator: the pretrained policy, trained in place.
        reference: the pretrained policy as it was.
        runtime: device, seed, log.
        ensemble: MLE models with other seeds, if a reward needs them.
    """

    config: RunConfig
    data: Dataset
    generator: Generator
    reference: Generator
    runtime: Runtime
    ensemble: Ensemble | None = None

    def __post_init__(self) -> None:
        config, runtime = self.config, self.runtime
        self.critic: Critic | None = None
        if any(term.name == "discriminator" for term in config.rewards):
            seed = derive_seed(config.seed, "discriminator")
            model = make_discriminator(config.discriminator, self.data.spec, seed)
            split = (self.data.train, self.data.heldout)
            self.critic = Critic(model, self.generator, *split, config.critic, runtime)
            runtime.hold(discriminator=model, critic=self.critic)
        ratio = None if self.ensemble is None else RatioReward(self.ensemble, self.generator)
        reward = build_reward(
            config.rewards, self.discriminator, self.data.train.to(runtime.device), runtime.seed,
            ratio,
        )  # fmt: skip
        materials = Materials(
            self.generator, self.reference, reward, self.discriminator, self.data.train,
            self.data.prompts(), runtime, ensemble=self.ensemble,
        )  # fmt: skip
        self.player: Actor = build(config.algorithm, materials)

    @property
    def discriminator(self) -> Discriminator | None:
        """The discriminator, if a reward needs one."""
        return None if self.critic is None else self.critic.trained

    def run(self, validate: Validation) -> Rounds:
        """Pretrains the discriminator and plays the rounds, or what is left of both."""
        runtime = self.runtime
        if self.critic is not None and not runtime.past("critic"):
            pretrain_critic(self.critic, runtime)
        health = Health(self.reference, self.critic, self.data.prompts("heldout"), runtime)
        rounds = Rounds(
            self.player, self.critic, self.config.adversarial, runtime, health=health,
            keep=lambda: runtime.save("finetuned"),
        )  # fmt: skip
        parts: dict[str, Any] = {"rounds": rounds, "player": self.player}
        runtime.hold(**parts)
        runtime.enter("adversarial")
        if not runtime.past("adversarial"):
            adversarial(rounds, validate)
            runtime.save("finetuned")
        return rounds
