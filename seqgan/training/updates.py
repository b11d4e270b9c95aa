"""Parts that all players of the generator have: a learner, a count of steps, perhaps a judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rollout import Policy

from ..config import OptimizerConfig
from ..runs.state import Stateful
from .learner import Learner
from .mle_loss import RealBatch, real_batch
from .players import Materials
from .sampling import Judge
from .steps import Steps, read_once

__all__ = ["Stepped", "Updates"]


class Stepped:
    """A learner with a count of its steps, that softens and is resumed.

    Args:
        learner: of the model.

    Attributes:
        parts: what has a state, by name; a player adds its own.
    """

    def __init__(self, learner: Learner):
        self.learner, self.progress = learner, Steps()
        self.parts: dict[str, Stateful] = {"progress": self.progress, "learner": learner}

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        self.learner.soften()
        self.progress.cut_short()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the model's weights."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


class Updates(Stepped):
    """The generator in training, and what a checkpoint holds of it besides its weights.

    Args:
        optimizer: of the generator.
        materials: generator, training sequences, device, log.
        advice: what a user can do about a loss that is not finite.
        judge: judges the samples; None: no function of the user's is asked.
    """

    def __init__(
        self,
        optimizer: OptimizerConfig,
        materials: Materials,
        advice: str = "lower --algorithm.optimizer.learning_rate",
        judge: Judge | None = None,
    ):
        self.runtime, self.stage = materials.runtime, materials.stage
        self.trained = self.policy = materials.generator.to(self.runtime.device).eval()
        self.train, self.prompts = materials.train.to(self.runtime.device), materials.prompts
        super().__init__(Learner(self.policy, optimizer, self.runtime, self.stage, advice))
        # Apart from those of its steps, which go on if samples or rollouts cannot be recorded.
        self.recordings = self.runtime.recordings()
        self._judge = judge
        if judge is not None:
            self.parts["judge"] = judge

    def read(self, figures: Mapping[str, Tensor]) -> dict[str, float]:
        """The mean loss since the last reading and figures of the step, for the log.

        The device is waited for once.

        Raises:
            NonFiniteLossError: a loss or gradient since then was NaN or infinite.
        """
        shown = read_once({"loss": self.learner.losses, **figures})
        return {**shown, "loss": self.learner.mean_of(shown["loss"])}

    @property
    def spread(self) -> float:
        """Standard deviation of a step's advantages or weights, mean of the steps so far."""
        return self.progress.spread

    @property
    def calls(self) -> int:
        """Sequences that were judged."""
        return 0 if self._judge is None else self._judge.calls

    @property
    def shows(self) -> bool:
        """Tells if it judges samples, and shows them."""
        return self._judge is not None

    @property
    def settled(self) -> bool:
        """Tells if the last reward judges: no stages are left."""
        return self._judge is None or self._judge.settled

    @property
    def done(self) -> bool:
        """Tells if as many sequences were judged as may be."""
        return self._judge is not None and self._judge.done

    def mixed(self, weight: float, count: int, number: int) -> RealBatch | None:
        """Training sequences for the likelihood, if it has a weight in the loss of an update.

        Args:
            weight: of the likelihood.
            count: how many.
            number: of the update, for the random numbers.
        """
        if not weight:
            return None
        rng = self.runtime.rng(self.stage, "real", number)
        real = real_batch(self.train, count, rng, self.runtime.processes)
        self.runtime.count(real.whole.mask, self.learner.model)
        return real

    def sampling(self) -> Policy | None:
        """The policy that its samples are drawn from; None: the one that is trained."""
        return None
