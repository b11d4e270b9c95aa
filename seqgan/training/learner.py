"""The one gradient step of all trainings: model, optimizer, schedule, clipping, mean loss."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ..config import OptimizerConfig
from ..config.optimizers import RISING
from ..errors import NonFiniteLossError
from ..runs.state import load_optimizer, set_fields
from .averaging import Average
from .runtime import Runtime
from .schedules import make_optimizer, rate_share

__all__ = ["Learner"]

PROGRESS = 1e-4
"""Relative fall of a measurement that counts as an improvement, for the plateau schedule and for
the patience of MLE alike. Without it, a rate that is halved again and again would keep training
going by differences that mean nothing."""


class Learner:
    """A model with what takes its gradient steps.

    Args:
        model: the module that is trained, moved to the run's device.
        config: optimizer, learning rate over time, clipping.
        runtime: device, precision, processes.
        stage: name of the training in messages.
        advice: what a user can do about a loss that is not finite.

    Attributes:
        model: the module.
        step: gradient steps so far.
    """

    def __init__(
        self, model: nn.Module, config: OptimizerConfig, runtime: Runtime, stage: str, advice: str
    ):
        self.config, self.runtime, self.stage, self.advice = config, runtime, stage, advice
        plain = make_optimizer(model, config, runtime.fused)
        self.model, self.optimizer = runtime.prepare(model, plain)
        self.schedule = None
        if config.schedule == "plateau":
            self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
                getattr(plain, "optimizer", plain),  # the one that Lookahead stands in front of
                mode="max" if config.plateau_metric in RISING else "min",
                factor=config.factor, patience=config.plateau_patience, threshold=PROGRESS,
            )  # fmt: skip
        self.average = Average(model, config.average_decay) if config.average_decay else None
        self.step = 0
        self._sum: Tensor | None = None
        self._count = 0

    def update(self, loss: Tensor) -> None:
        """One gradient step.

        Args:
            loss: the share of this process in the loss of the batch (see `Part`).
        """
        loss, norm = self.runtime.update(loss, self.model, self.optimizer, self.config.clip_norm)
        # A gradient that is not finite spoils the parameters though the loss was fine.
        loss = loss.detach() + 0.0 * norm.to(loss.device)
        self._sum = loss if self._sum is None else self._sum.to(loss.device) + loss
        self._count += 1
        self.step += 1
        before, now = rate_share(self.config, self.step - 1), rate_share(self.config, self.step)
        if now != before:  # by their ratio, since the rate may have been halved meanwhile
            self.rate = self.rate * (now / before)
        if self.average is not None:
            self.average.update()

    def mean_loss(self) -> float:
        """The mean loss since the last call; NaN if there was no step.

        The device is read here and not at every step.

        Raises:
            NonFiniteLossError: a loss or gradient since then was NaN or infinite.
        """
        if self._sum is None:
            return float("nan")
        mean, first = float(self._sum) / self._count, self.step - self._count + 1
        self._sum, self._count = None, 0
        if not (mean - mean == 0):
            raise NonFiniteLossError(
                f"{self.stage}: the loss or its gradient became {mean} between steps {first} and "
                f"{self.step}; last good checkpoint: {self.runtime.last_good()}; {self.advice}"
            )
        return mean

    def measured(self, value: float, figures: Mapping[str, float]) -> None:
        """Tells the schedule a measurement.

        Args:
            value: the one that the training goes by, smaller is better.
            figures: all that was measured, for a schedule that watches one of them.
        """
        if self.schedule is not None:
            name = self.config.plateau_metric
            self.schedule.step(value if name is None else figures[name])

    def averaged(self) -> AbstractContextManager[None]:
        """The model as it is validated, kept and sampled: with averaged weights, if asked for."""
        return nullcontext() if self.average is None else self.average.in_place()

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(self.optimizer.param_groups[0]["lr"])

    @rate.setter
    def rate(self, value: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def forget(self) -> None:
        """Clears the optimizer's moments, and the losses since the last reading.

        Averages and slow weights begin again from the weights as they are.
        """
        self.optimizer.state.clear()
        behind = getattr(self.optimizer, "optimizer", self.optimizer)  # accelerate's
        if hasattr(behind, "optimizer"):  # Lookahead in front of another
            behind.optimizer.state.clear()
            for group in behind.param_groups:
                group["counter"] = 0
                behind.init_group(group)
        if self.average is not None:
            self.average.restart()
        self._sum, self._count = None, 0

    def end(self, restored: bool) -> None:
        """Ends the training with the weights that are kept.

        Args:
            restored: if they are in the model already; otherwise the average is put there, if
                there is one.
        """
        if self.average is None:
            return
        if restored:
            self.average.restart()
        else:
            self.average.settle()

    def soften(self) -> None:
        """Halves the learning rate and clears the moments."""
        self.forget()
        self.rate = self.rate / 2

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint, without the model's weights."""
        return {
            "step": self.step,
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "sum": self._sum,
            "count": self._count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, ("step",), state)
        load_optimizer(self.optimizer, state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self._sum, self._count = state["sum"], int(state["count"])
