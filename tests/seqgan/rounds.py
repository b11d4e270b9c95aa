"""The players of some rounds, and the rounds themselves, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from rollout import ConstantReward
from rollout.modules import frozen_copy
from seqgan.config import CriticConfig, RunConfig
from seqgan.data.dataset import Dataset
from seqgan.models import Discriminator
from seqgan.rewards.build import build_reward
from seqgan.rewards.ingredients import Ingredients
from seqgan.training.adversarial import adversarial
from seqgan.training.control import NoiseGradient
from seqgan.training.critic import Critic
from seqgan.training.health import Health
from seqgan.training.players import Materials
from seqgan.training.policy_gradient import PolicyGradient
from seqgan.training.rounds import Rounds, Validation
from seqgan.training.runtime import Runtime

__all__ = ["Work", "control_of", "critic_of", "noting", "work_of"]


@dataclass
class Work:
    """Both players, the models behind them, and the book-keeping."""

    settings: RunConfig
    data: Dataset
    player: PolicyGradient
    critic: Critic | None
    reference: Any
    rounds: Rounds

    @property
    def generator(self) -> Any:
        """The policy that is trained."""
        return self.player.policy

    @property
    def runtime(self) -> Runtime:
        """Device, seed, log."""
        return self.player.runtime

    def round(self) -> None:
        """The steps of both players in a round."""
        settings = self.settings.adversarial
        self.player.steps(settings.generator_steps)
        if self.critic is not None:
            self.critic.steps(settings.critic_steps)

    def play(self, validate: Validation) -> Rounds:
        """All rounds."""
        return adversarial(self.rounds, validate)


def critic_of(
    judge: Discriminator, policy: Any, data: Dataset, config: CriticConfig, runtime: Runtime
) -> Critic:
    """The player of a discriminator."""
    return Critic(judge, policy, data.train, data.heldout, config, runtime)


def work_of(
    generator: Any, judge: Discriminator | None, data: Dataset, settings: RunConfig,
    runtime: Runtime, critic: Critic | None = None,
) -> Work:  # fmt: skip
    """A method on its way; without a discriminator where no term of the reward needs one."""
    if not any(term.needs_discriminator for term in settings.rewards):
        judge = critic = None
    elif critic is None:
        assert judge is not None
        critic = critic_of(judge, generator, data, settings.critic, runtime)
    reference = frozen_copy(generator)
    judge = None if critic is None else critic.trained
    given = Ingredients(
        data.train, data.codec, settings.seed, judge, generator, reference, config=settings.reward,
        skip=settings.on_reward_error == "skip",
    )  # fmt: skip
    reward = build_reward(settings.rewards, given)
    materials = Materials(generator, reference, reward, judge, data.train, data.prompts(), runtime)
    player = PolicyGradient(settings.algorithm, materials)
    health = Health(reference, critic, data.prompts("heldout"), runtime)
    rounds = Rounds(player, critic, settings.adversarial, runtime, health=health)
    return Work(settings, data, player, critic, reference, rounds)


def control_of(generator: Any, work: Work, spread: float | None = None) -> NoiseGradient:
    """The player of the control of a method."""
    spread = work.player.spread if spread is None else spread
    materials = Materials(
        generator, work.reference, ConstantReward(0.0), None, work.data.train,
        work.data.prompts(), work.runtime, "control",
    )  # fmt: skip
    return NoiseGradient(work.settings.algorithm, materials, spread)


def noting(
    patch: pytest.MonkeyPatch, player: Any, losses: dict[float, float], weight: float
) -> None:
    """Makes a player note the loss of its update by the weight of the likelihood in it."""
    update = player.learner.update

    def noted(loss: Any, *inputs: Any) -> Any:
        found = loss(*inputs)
        losses[weight] = (found[0] if isinstance(found, tuple) else found).item()
        return update(loss, *inputs)

    patch.setattr(player.learner, "update", noted)
