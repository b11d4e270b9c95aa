"""The value head: a prediction of the reward to come, from the generator's features.

Advantages are generalised estimates (Schulman et al. 2016). The features are read and not trained
by the head: the policy moves by its own loss alone.

Shapes: B sequences, T tokens, H features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences, gae, value_loss

from ..config.algorithms import ValueConfig
from ..config.optimizers import OptimizerConfig
from ..models import Generator
from ..rewards.terms import at_the_end
from ..runs.state import weights_for
from ..seeding import derive_seed
from .learner import Learner
from .processes import Part
from .runtime import Runtime

__all__ = ["ValueHead"]


class ValueHead:
    """A small network beside the policy, and what trains it.

    Args:
        settings: sizes and rates.
        policy: the generator whose features are read.
        runtime: device, seed.
        stage: name of the training.
    """

    def __init__(self, settings: ValueConfig, policy: Generator, runtime: Runtime, stage: str):
        self.settings, self.policy = settings, policy
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(runtime.seed, stage, "value"))
            network = nn.Sequential(
                nn.Linear(policy.head.in_features, settings.hidden), nn.Tanh(),
                nn.Linear(settings.hidden, 1),
            )  # fmt: skip
        self.network = network.to(runtime.device, policy.head.weight.dtype)
        self.learner = Learner(
            self.network, OptimizerConfig(learning_rate=settings.learning_rate), runtime,
            f"{stage} (value head)", "lower --algorithm.value.learning_rate",
        )  # fmt: skip

    @torch.no_grad()
    def features(self, sequences: Sequences) -> Tensor:
        """Features [B, T, H] of the prefix before each token."""
        return self.policy.features(sequences).to(self.policy.head.weight.dtype)

    @torch.no_grad()
    def advantages(self, rewards: Tensor, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Advantages and the targets of the values, both [B, T].

        Args:
            rewards: [B, T], one per token.
            features: [B, T, H].
            mask: bool [B, T], the tokens of the sequences.
        """
        values = self.values(features)
        # Nothing comes after the length limit: it ends a sequence as EOS does.
        found = gae(rewards, values, mask, 1.0, self.settings.decay)
        return found, found + values

    def values(self, features: Tensor) -> Tensor:
        """Values [B, T] of the prefixes."""
        values: Tensor = self.network(features)[..., 0]
        return values

    def update(self, features: Tensor, targets: Tensor, chosen: Tensor, part: Part) -> Tensor:
        """Gradient steps of the head.

        Args:
            features: [rows, T, H], of this process's part.
            targets: [rows, T].
            chosen: bool [B, T], the tokens of the whole batch that count.
            part: of this process.

        Returns:
            The mean loss, as a number for the log.
        """
        for _ in range(self.settings.updates):
            self.learner.update(self._loss, features, targets, chosen, part)
        return torch.tensor(self.learner.mean_loss())

    def _loss(self, features: Tensor, targets: Tensor, chosen: Tensor, part: Part) -> Tensor:
        """The share of this process in the loss."""
        loss = value_loss(self.values(features), targets, chosen[part.rows])
        return part.of_tokens(loss, chosen)

    def learn(
        self, mine: Sequences, to_go: Tensor, per_token: bool, chosen: Tensor, part: Part
    ) -> tuple[Tensor, Tensor]:
        """Advantages of samples [rows, T], from which the head then learns; and its loss.

        Args:
            mine: the samples of this process's part.
            to_go: [rows, T], the reward to go from each token, known at the end.
            per_token: the reward is one of tokens; else all of it comes with the last.
            chosen: bool [B, T], the tokens of the whole batch that count.
            part: of this process.
        """
        after = torch.nn.functional.pad(to_go, (0, 1))[:, 1:]
        rewards = to_go - after if per_token else at_the_end(to_go[:, 0], mine)
        features = self.features(mine)
        found, targets = self.advantages(rewards, features, mine.mask)
        with torch.enable_grad():
            return found, self.update(features, targets, chosen, part)

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        self.learner.soften()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"network": self.network.state_dict(), "learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        self.network.load_state_dict(weights_for(self.network, state["network"]))
        self.learner.load_state_dict(state["learner"])
