"""Adversarial fine-tuning, whole: discriminator, reward, rounds, and the control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rollout import Reward, constrained
from rollout.modules import own_copy

from ..config import RewardTerm, RunConfig
from ..config.components import build
from ..config.reward_calls import planned_calls
from ..data.augmentation import augmentation
from ..data.dataset import Dataset
from ..models import Discriminator, Ensemble, Generator, make_discriminator
from ..rewards.build import build_reward
from ..rewards.ingredients import Ingredients
from ..rewards.stages import Stages
from ..rewards.workers import Pools
from ..seeding import derive_seed
from .adversarial import adversarial
from .again import mle_again
from .critic import Critic
from .critic_pretraining import pretrain_critic
from .fresh import FreshSamples
from .health import Health
from .mediator import Mediation
from .other_models import other_model
from .players import Actor, Materials, Player
from .refresh import Refresh
from .relaxed import RelaxedUpdates
from .rounds import Rounds, Validation
from .runtime import SAMPLES, Runtime
from .sampling import MOST_SAMPLES
from .scratch import at_the_start
from .showing import SampleTable

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
        self.pools = Pools()
        if not runtime.past("members"):  # a later checkpoint holds what became of it
            at_the_start(self.generator, config, self.data)
        self.critic: Critic | None = None
        if any(term.needs_discriminator for term in config.every_term()):
            self.generator.settings.check_judge(config.discriminator)
            seed = derive_seed(config.seed, "discriminator")
            model = make_discriminator(config.discriminator, self.data.spec, seed, self.data.codec)
            split = (self.data.train, self.data.heldout)
            augment = augmentation(
                config.critic.augment, config.critic.augment_share, self.data.codec
            )
            acting = constrained(self.generator, self.data.constraint)
            self.critic = Critic(model, acting, *split, config.critic, runtime, augment)
            runtime.hold(discriminator=model, critic=self.critic)
        self.refresh: Refresh | None = None
        if config.ensemble.refresh:
            assert self.ensemble is not None
            size = config.algorithm.as_policy_gradient().batch_size
            self.refresh = Refresh(
                self.ensemble, self.generator, self.data.train, size, config.ensemble, runtime
            )
            runtime.hold(refresh=self.refresh)
        self.mediation: Mediation | None = None
        if any(term.needs_mediator for term in config.every_term()):
            mediator = own_copy(self.reference).requires_grad_(True)
            self.mediation = Mediation(
                mediator, self.generator, self.data.train, config.critic, runtime
            )
            runtime.hold(mediator=mediator, mediation=self.mediation)
        every = config.adversarial.measure_every * config.adversarial.generator_steps
        self.table = SampleTable(self.data.codec, config.evaluation.show, every, runtime)
        stages, reward = None, self.reward(config.rewards)
        self._last_reward = reward
        if config.stages:
            before = [self.reward(stage.rewards) for stage in config.stages]
            stages = Stages(config.stages, [*before, reward])
        materials = Materials(
            self.generator, self.reference, reward if stages is None else stages.reward,
            self.discriminator, self.data.train, self.data.prompts(), runtime,
            ensemble=self.ensemble,
            table=self.table,
            calls=planned_calls(config).training, stages=stages, codec=self.data.codec,
            constraint=self.data.constraint,
        )  # fmt: skip
        self.player: Actor = build(config.algorithm, materials)
        if self.critic is not None:
            self.critic.sampling = self.player.sampling
            self.critic.pair_loss.compares_labels = config.algorithm.compares_labels
        if self.critic is not None and config.algorithm.shows_mixtures:
            assert isinstance(self.player, RelaxedUpdates)
            self.critic.relaxed = self.player.relaxed

    def reward(self, terms: Sequence[RewardTerm]) -> Reward:
        """The reward that settings describe, made anew."""
        config, runtime = self.config, self.runtime
        mediator = None if self.mediation is None else Ensemble([self.mediation.model])
        given = Ingredients.of(
            config, self.data, self.generator, self.reference, runtime.device,
            load=self._other_model, say=runtime.say, discriminator=self.discriminator,
            ensemble=self.ensemble, mediator=mediator, pools=self.pools,
        )  # fmt: skip
        return build_reward(terms, given)

    def _shown(self, policy: Generator, step: int) -> None:
        """Shows samples of a policy whose player judges none, by what the discriminator says."""
        if not self.player.shows:
            reward = None if self.critic is None else self._last_reward
            FreshSamples(self.table, self.data, SAMPLES, reward)(policy, step)

    def _other_model(self, folder: str) -> Generator:
        return other_model(folder, self.data).to(self.runtime.device)

    @property
    def discriminator(self) -> Discriminator | None:
        """The discriminator, if a reward needs one."""
        return None if self.critic is None else self.critic.trained

    def judged(self, rounds: Rounds) -> int:
        """Sequences that the reward judged in these rounds.

        Worked out from the settings where the player judges its samples by no `Judge`.
        """
        if counted := self.player.calls:
            return counted
        config, training = self.config, min(len(self.data.train), MOST_SAMPLES)
        steps = rounds.rounds_done * config.adversarial.generator_steps
        return config.algorithm.judged(steps, self.generator.max_length, training)

    def run(self, validate: Validation) -> Rounds:
        """Pretrains the discriminator and plays the rounds, or what is left of both."""
        config, runtime = self.config, self.runtime
        if self.critic is not None and not runtime.past("critic"):
            pretrain_critic(self.critic, runtime)
        if not runtime.past("again"):
            mle_again(
                self.generator, self.discriminator, config, self.data, runtime, "again", phase=True
            )
        health = Health(
            self.reference, self.critic, self.data.prompts("heldout"), runtime,
            self.data.constraint, scratch=self.config.adversarial.start == "scratch",
        )  # fmt: skip
        other: Player | None = self.critic or self.mediation
        settings = self.config.adversarial
        if self.refresh is not None:
            other = self.refresh
            settings = replace(settings, critic_steps=self.config.ensemble.refresh)
        rounds = Rounds(
            self.player, other, settings, runtime, health=health,
            keep=lambda: runtime.save("finetuned"), show=self._shown,
        )  # fmt: skip
        parts: dict[str, Any] = {"rounds": rounds, "player": self.player}
        runtime.hold(**parts)
        runtime.enter("adversarial")
        if not runtime.past("adversarial"):
            adversarial(rounds, validate)
            runtime.save("finetuned")
        return rounds
