"""The one gradient step of all trainings: model, optimizer, schedule, clipping, mean loss.

On CUDA devices a whole step, from the loss to the optimizer, is recorded as a graph if its loss
comes as a function of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        # Lookahead counts its steps on the host.
        self.graphs = None if config.lookahead_steps else runtime.recordings()
        self._rate = float(plain.param_groups[0]["lr"])
        self._prepare_groups()
        self.average = Average(model, config.average_decay) if config.average_decay else None
        self.step = 0
        self._sum: Tensor | None = None
        self._count = 0

    def update(self, loss: Tensor | Callable[..., Any], *inputs: Any) -> Any:
        """One gradient step.

        Args:
            loss: the share of this process in the loss of the batch (see `Part`); or a function
                that makes it of the model and of `inputs` alone, so that the step can be recorded
                (see `rollout.graphs.Graphs.run`). It may return more, as the second of a pair.
            inputs: of that function.

        Returns:
            What the function returned besides the loss: a tree of tensors, or None.
        """
        more = None
        if isinstance(loss, Tensor):
            total, norm = self._step(loss)
        elif self.graphs is None:
            total, norm, more = self._recordable(loss, self.model.training, *inputs)
        else:
            run = self.graphs.run
            total, norm, more = run(self._recordable, loss, self.model.training, *inputs)
        self.runtime.steps_done += 1
        # A gradient that is not finite spoils the parameters though the loss was fine.
        total = total.detach() + 0.0 * norm.to(total.device)
        self._sum = total if self._sum is None else self._sum.to(total.device) + total
        self._count += 1
        self.step += 1
        before, now = rate_share(self.config, self.step - 1), rate_share(self.config, self.step)
        if now != before:  # by their ratio, since the rate may have been halved meanwhile
            self.rate = self.rate * (now / before)
        if self.average is not None:
            self.average.update()
        return more

    def _recordable(
        self, loss: Callable[..., Any], training: bool, *inputs: Any
    ) -> tuple[Tensor, Tensor, Any]:
        """A step from its inputs; the mode of the model is one of them."""
        found = loss(*inputs)
        share, more = found if isinstance(found, tuple) else (found, None)
        return *self._step(share), more

    def _step(self, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients, clipping and the optimizer's step.

        Returns:
            The loss of the whole batch, and the gradient's norm before it was clipped (0 for a
            step that was skipped because the loss's scale was too large for fp16).
        """
        self.optimizer.zero_grad()
        self.runtime.accelerator.backward(loss)
        loss = self.runtime.add_up(loss, self.model)
        norm = self._clipped()
        self.optimizer.step()
        return loss, norm

    def _clipped(self) -> Tensor:
        """Clips the gradient; its norm before that, 0 for a step that fp16's scaler skips."""
        # Of this optimizer alone: another one may have the same parameters, and the gradient
        # would be divided by the scale once for each.
        self.runtime.accelerator.unscale_gradients(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        scaler = self.runtime.accelerator.scaler
        if scaler is None:
            return norm
        # A gradient that overflows because it was scaled is no fault of the model: the step is
        # skipped, and the scale halved. At a scale of 1 the fault is the model's.
        scale = scaler.scale(norm.new_ones(()))
        return torch.where((scale > 1) & ~norm.isfinite(), 0.0, norm)

    def _prepare_groups(self) -> None:
        """Makes the optimizer's settings ones that a recording follows: the rate is a tensor."""
        for group in self.optimizer.param_groups if self.graphs is not None else ():
            group["capturable"] = True
            group["lr"] = torch.tensor(self._rate, device=self.runtime.device)

    def mean_loss(self) -> float:
        """The mean loss since the last call; NaN if there was no step.

        The device is read here and not at every step.

        Raises:
            NonFiniteLossError: a loss or gradient since then was NaN or infinite.
        """
        return float("nan") if self._sum is None else self.mean_of(float(self._sum))

    @property
    def losses(self) -> Tensor:
        """Sum of the losses since the last reading, on their device; see `mean_of`."""
        assert self._sum is not None, "there was a step"
        return self._sum

    def mean_of(self, losses: float) -> float:
        """As `mean_loss`, where the sum of the losses was read together with other numbers."""
        mean, first = losses / self._count, self.step - self._count + 1
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
            self._rate = float(self.optimizer.param_groups[0]["lr"])

    def averaged(self) -> AbstractContextManager[None]:
        """The model as it is validated, kept and sampled: with averaged weights, if asked for."""
        return nullcontext() if self.average is None else self.average.in_place()

    @property
    def replays(self) -> int:
        """Steps that were launched as graphs."""
        return 0 if self.graphs is None else self.graphs.replays[self._recordable]

    @property
    def rate(self) -> float:
        """The learning rate now."""
        # Kept on the host too: reading a device's number would make it wait.
        return float(self.optimizer.param_groups[0]["lr"]) if self.graphs is None else self._rate

    @rate.setter
    def rate(self, value: float) -> None:
        self._rate = value
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value

    def go_on_at(self, rate: float) -> None:
        """Sets the learning rate from here on; a warm-up that is not over yet ends there."""
        warm = self.config.warmup_steps
        self.rate = rate * (rate_share(self.config, self.step) if self.step < warm else 1.0)

    def forget(self) -> None:
        """Clears the optimizer's moments, and the losses since the last reading.

        Averages and slow weights begin again from the weights as they are.
        """
        self.optimizer.state.clear()
        if self.graphs is not None:
            self.graphs.clear()
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
        optimizer = self.optimizer.state_dict()
        if self.graphs is not None:  # the same as of a learner without graphs
            for group in optimizer["param_groups"]:
                group |= {"lr": self._rate, "capturable": False}
        return {
            "step": self.step,
            "optimizer": optimizer,
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "sum": self._sum,
            "count": self._count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores it."""
        set_fields(self, ("step",), state)
        optimizer = state["optimizer"]
        if self.graphs is not None:  # else the counts of the steps would stay on the host
            groups = [{**group, "capturable": True} for group in optimizer["param_groups"]]
            optimizer = {**optimizer, "param_groups": groups}
        if self.graphs is not None and self._put_in_place(optimizer):
            self.rate = float(optimizer["param_groups"][0]["lr"])
        else:
            load_optimizer(self.optimizer, optimizer)
            if self.graphs is not None:
                self.graphs.clear()
                self._rate = float(self.optimizer.param_groups[0]["lr"])
                self._prepare_groups()
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self._sum, self._count = state["sum"], int(state["count"])

    def _put_in_place(self, optimizer: Mapping[str, Any]) -> bool:
        """Copies an optimizer's moments into those that are there, so that recordings stay.

        Returns:
            False where there are none yet, or others: nothing is done then.
        """
        own, given = self.optimizer.state_dict()["state"], optimizer["state"]
        pairs: list[tuple[Any, Any]] = []
        for number in own.keys() | given.keys():
            ours, theirs = own.get(number, {}), given.get(number, {})
            if not ours or ours.keys() != theirs.keys():
                return False
            pairs += [(ours[name], theirs[name]) for name in ours]
        if not pairs or not all(isinstance(each, Tensor) for pair in pairs for each in pair):
            return False
        if any(ours.shape != theirs.shape for ours, theirs in pairs):
            return False
        for ours, theirs in pairs:
            ours.copy_(theirs)
        return True
