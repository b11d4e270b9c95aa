"""Evolution: the player that tries several relaxed updates and keeps the fittest (CatGAN).

CatGAN (Liu, Wang and Liang 2020) evolves its generator as E-GAN does (Wang et al. 2019). A step has
a parent, the policy as it is, and children: the parent after an update by each of several losses,
at each of several temperatures around the schedule's (variation). A child's fitness is

    F = Fq + lambda Fd

with the quality Fq, how far the discriminator puts its samples above real sequences, and the
diversity Fd, its own surprise at them, -log q per token (evaluation). The fittest child is the next
parent (selection).

There is one parent, and all children see the same random numbers. Categories are labels, where the
data have them: generator and discriminator read them, and the losses of both are those among all
sequences and among those of each label (`models.hierarchy`).
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import torch

from ..config.algorithms import Evolution as Settings
from ..models.conditions import without_noise
from ..models.discriminators.base import sequence_log_odds
from ..models.gan_losses import GAN_LOSSES
from .players import Materials
from .relaxed import RelaxedUpdates
from .sampling import draw

__all__ = ["EvolutionUpdates"]


class EvolutionUpdates(RelaxedUpdates):
    """The generator's player.

    Args:
        settings: losses, temperatures, weight of the diversity, batch, optimizer.
        materials: generator, discriminator, training sequences, device, log.
    """

    settings: Settings

    def __init__(self, settings: Settings, materials: Materials):
        super().__init__(settings, materials)
        self.children = list(itertools.product(settings.losses, settings.temperature_factors))

    def step(self) -> None:
        """Children of the policy, of which the fittest takes its place."""
        parent = self._state()
        best: dict[str, Any] = {}
        for number, (loss, factor) in enumerate(self.children):
            if number:
                self._take(parent)
            self.name, self.loss = loss, GAN_LOSSES[loss]
            temperature = self.temperature * factor
            drawn, part = self.update(temperature)
            figures = {**self.read(self._figures(drawn, part)), "temperature": temperature}
            fitness = self.fitness()
            if not best or fitness > best["fitness"]:
                best = {
                    "fitness": fitness, "child": float(number), "figures": figures,
                    "state": self._state(),
                }  # fmt: skip
        self._take(best["state"])
        self.progress.number += 1
        shown = {name: best[name] for name in ("fitness", "child")}
        self.note({**best["figures"], **shown})

    @torch.no_grad()
    def fitness(self) -> float:
        """``mean sigmoid(f(y) - mean f(real)) - lambda mean log q(y_t | y_<t)``, fresh samples."""
        size, number = self.settings.batch_size, self.progress.number
        rng = self.runtime.rng(self.stage, "fitness", number)
        rows = torch.randint(len(self.train), (size,), generator=rng)
        real = self.train.select(rows.to(self.train.device))
        drawn = draw(
            self.policy, size, rng, self.prompts, processes=self.runtime.processes
        ).sequences  # fmt: skip
        score = sequence_log_odds(self.discriminator)
        quality = torch.sigmoid(score(without_noise(drawn)) - score(real).mean()).mean()
        surprise = -self.policy(drawn).log_prob.sum() / drawn.lengths.sum()
        fitness = float(quality + self.settings.diversity_weight * surprise)
        # By the main process's rounding, so that all processes choose the same child.
        fitness = self.runtime.processes.agree(lambda: fitness)
        return fitness if math.isfinite(fitness) else -math.inf

    def _state(self) -> dict[str, Any]:
        """Copies of the policy's weights and of the optimizer's state."""
        return copy.deepcopy(
            {"policy": self.policy.state_dict(), "learner": self.learner.state_dict()}
        )

    def _take(self, state: dict[str, Any]) -> None:
        """Puts such copies back."""
        self.policy.load_state_dict(state["policy"])
        self.learner.load_state_dict(copy.deepcopy(state["learner"]))
