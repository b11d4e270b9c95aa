"""What every stage of training needs: device, seed, log, progress."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from safetensors import SafetensorError
from torch import nn

from rollout.devices import reading_waits

from ..errors import ConfigError, RunDirectoryError, RunInterrupted
from ..seeding import derive_seed, rng_for
from ..terminal import say
from .accelerators import make_accelerator
from .interruption import SIGNALS, Interruption
from .processes import Processes, launcher
from ..runs.run_directory import RunDirectory
from ..runs.saver import Saver
from ..runs.state import Stateful

__all__ = ["Runtime", "make_accelerator"]


@dataclass
class Runtime:
    """Device, seed, log and progress of one run.

    Attributes:
        accelerator: device, precision and processes.
        seed: the run's seed, from which every piece of work derives its own.
        run: where the run is written; None: nowhere.
        console: where progress and tables are shown.
        saver: writes checkpoints; None: there are none.
        command: of the command line that goes on with the run: run, pretrain or finetune.
        steps_done: gradient steps of all models so far: the number of the next checkpoint.
        interruption: takes note of signals.
        processes: those that share the work.
    """

    accelerator: Accelerator
    seed: int
    run: RunDirectory | None = None
    console: Console = field(default_factory=lambda: Console(quiet=True))
    saver: Saver | None = None
    command: str = "run"
    steps_done: int = 0

    def __post_init__(self) -> None:
        self.interruption = Interruption(self._interrupt, not self.console.quiet)
        self.processes = Processes(self.accelerator, self._what_is_left)
        self._tracking = True
        self._signals: torch.Tensor | None = None
        self._before: torch.Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where tensors belong."""
        return self.accelerator.device

    @property
    def fused(self) -> bool:
        """Whether optimizers update all parameters in one pass: where torch surely has that."""
        return self.device.type in ("cpu", "cuda")

    def rng(self, *purpose: str | int) -> torch.Generator:
        """A random generator for one piece of work."""
        return rng_for(self.seed, *purpose)

    def seed_dropout(self, *purpose: str | int) -> None:
        """Seeds the global generators, which dropout draws from, for one piece of work."""
        if self.processes.count > 1:  # else all would drop the same units of different rows
            purpose = (*purpose, "process", self.processes.index)
        torch.manual_seed(derive_seed(self.seed, *purpose))

    def prepare(self, model: nn.Module, optimizer: Any) -> tuple[nn.Module, Any]:
        """A model on its device with its precision, and its optimizer."""
        # In evaluation mode accelerate leaves the gradients to `update`.
        model = self.accelerator.prepare_model(model, evaluation_mode=True)
        return model, self.accelerator.prepare_optimizer(optimizer)

    def update(
        self, loss: torch.Tensor, model: nn.Module, optimizer: Any, clip_norm: float
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One gradient step.

        Args:
            loss: what this process's part adds to the loss of the batch (see `Part`).
            model: whose parameters have the gradients.
            optimizer: takes the step.
            clip_norm: largest norm of the gradient.

        Returns:
            The loss of the whole batch, and the gradient's norm before it was clipped.
        """
        optimizer.zero_grad()
        self.accelerator.backward(loss)
        loss = self._add_up(loss, model)
        norm = self.accelerator.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        self.steps_done += 1
        return loss, norm

    def _add_up(self, loss: torch.Tensor, model: nn.Module) -> torch.Tensor:
        """Gradients and loss of the whole batch, and the signals that came to any process."""
        if self.processes.count == 1:
            return loss
        came = [float(number == self.interruption.number) for number in SIGNALS]
        total, signals = loss.detach().clone(), loss.new_tensor(came)
        gradients = [each.grad for each in model.parameters() if each.grad is not None]
        self.processes.add_up(*gradients, total, signals)
        # Those of the step before, where reading this step's would make the host wait for it.
        waits = reading_waits(self.device)
        self._before, self._signals = (self._signals, signals) if waits else (signals, signals)
        return total

    def hold(self, **parts: Stateful) -> None:
        """Parts of every checkpoint from now on; they take up their state where there is one."""
        if self.saver is not None:
            self.saver.hold(**parts)

    def enter(self, phase: str, **parts: Stateful) -> None:
        """Begins a phase of training with parts of its own; see `Saver.enter`."""
        self.interruption.patient = self.saver is not None
        if self.saver is not None:
            self.saver.enter(phase, **parts)

    def past(self, phase: str) -> bool:
        """Whether the run goes on from a checkpoint of a later phase."""
        return self.saver is not None and self.saver.past(phase)

    def pause(self) -> None:
        """A moment from which the work can go on later: after each gradient step.

        Writes a checkpoint where one is due, and ends the run where a signal has asked for it.

        Raises:
            RunInterrupted: a signal came.
        """
        if self.saver is None:
            return
        number = self._stopped_by()
        if number is not None:
            self.processes.agree(self.save)
            self._interrupt(number)
        if self.saver.due(self.steps_done):
            self.save()

    def save(self, *names: str) -> None:
        """Writes a checkpoint; `names` is what it is besides "latest".

        Raises:
            RunDirectoryError: it cannot be written; the ones before it are as they were.
        """
        if self.saver is None or not self.accelerator.is_main_process:
            return
        with self._writing("the checkpoint"):
            self.saver.save(self.steps_done, *names)

    def last_good(self) -> str:
        """The newest checkpoint, for messages; processes that write none see it too."""
        places = [] if self.run is None else self.run.checkpoints.all()
        return str(places[0]) if places else "none was saved yet"

    def _stopped_by(self) -> int | None:
        """The signal that came to one of the processes, or None; the same in all of them."""
        if self.processes.count == 1:
            return self.interruption.number
        came = [] if self._before is None else self._before.tolist()
        return next((int(n) for n, times in zip(SIGNALS, came, strict=False) if times), None)

    def state_dict(self) -> dict[str, Any]:
        """Counters and the position of the logs."""
        assert self.run is not None
        scaler = self.accelerator.scaler
        return {
            "steps_done": self.steps_done,
            "log": self.run.log_position(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave; the logs have been cut back already."""
        self.steps_done = int(state["steps_done"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Makes of an error of the disk one that says what is left and how to go on."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            assert self.run is not None
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise RunDirectoryError(
                f"{self.run.path}: {what} cannot be written ({reason}); last good state: "
                f"{self.last_good()}; make room or mend the folder, and go on with: {self._go_on()}"
            ) from error

    def _interrupt(self, number: int) -> None:
        name = signal.Signals(number).name
        raise RunInterrupted(
            f"stopped by {name} after {self.steps_done} gradient steps; last good state: "
            f"{self.last_good()}; go on with: {self._go_on()}",
            number,
        )

    def _what_is_left(self) -> str:
        """The end of the message where another process is lost."""
        if self.run is None:
            return ""
        return f"; last good state: {self.last_good()}; go on with: {self._go_on()}"

    def _go_on(self) -> str:
        """The command that goes on with the run."""
        assert self.run is not None
        folder = str(self.run.path)
        if self.run.checkpoints.all():
            words = ["--resume", folder]
        else:
            words = ["--config", f"{folder}/config.yaml", "--output_dir", folder]
            words += ["--resume", "auto"]
        return shlex.join([*launcher(), self.command, *words])

    def log(self, stage: str, step: int, **values: float | int | None) -> None:
        """One line of metrics."""
        if self.run is None or not self.accelerator.is_main_process:
            return
        with self._writing("metrics.jsonl"):
            self.run.log(stage, step, values)
        if not self._tracking:
            return
        try:
            self.accelerator.log({f"{stage}/{key}": value for key, value in values.items()}, step)
        except Exception as error:  # whatever goes wrong in another's logger, training goes on
            self._tracking = False
            self.say(f"warning: {_tracker_fails(error)}")

    def begin_tracking(self) -> None:
        """Opens the loggers.

        Raises:
            ConfigError: one that was asked for cannot start.
        """
        try:
            self.accelerator.init_trackers("")
        except ConfigError:
            raise
        except Exception as error:
            self._tracking = False
            self.say(f"warning: {_tracker_fails(error)}")

    def end_tracking(self) -> None:
        """Closes the loggers."""
        try:
            self.accelerator.end_training()
        except Exception as error:
            if self._tracking:
                self.say(f"warning: {_tracker_fails(error)}")

    def say(self, text: str) -> None:
        """Shows a line to the user."""
        say(self.console, text)

    @contextmanager
    def progress(self, label: str, total: int, done: int = 0) -> Iterator[Progress]:
        """A progress bar with the time left; `advance(0)` moves it."""
        bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
        )
        with bar:
            bar.add_task(label, total=total, completed=done, note="")
            yield bar


def _tracker_fails(error: Exception) -> str:
    return (
        f"measurements cannot be tracked ({type(error).__name__}: {error}); the run goes on "
        "without trackers, metrics.jsonl has every measurement"
    )
