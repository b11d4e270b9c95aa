"""What every stage of training needs: device, seed, log, progress."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import ProjectConfiguration
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

from ..errors import ConfigError, NonFiniteLossError, RunDirectoryError, RunInterrupted
from ..seeding import derive_seed, rng_for
from ..terminal import say
from .interruption import Interruption
from .run_directory import RunDirectory
from .saver import Saver
from .state import Stateful
from .trackers import check_trackers, make_trackers

__all__ = ["LossWatch", "Runtime", "make_accelerator"]


def make_accelerator(
    device: str = "auto",
    precision: str = "no",
    folder: Path | None = None,
    trackers: Iterable[str] = ("tensorboard",),
) -> Accelerator:
    """An accelerator for a device and a precision.

    Args:
        device: auto, cpu, cuda or mps.
        precision: no, bf16 or fp16.
        folder: the run's folder, where trackers write; None: nothing is tracked.
        trackers: their names.

    Raises:
        ConfigError: the device is not there, or a tracker cannot start.
        MissingExtraError: the package of a tracker is not installed.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"--device: {device!r} asked for, but torch sees no CUDA device")
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device: 'mps' asked for, but torch sees no Metal device")
    if precision != "no" and (device == "cpu" or not torch.cuda.is_available()):
        raise ConfigError(f"--precision: {precision} is for CUDA devices; leave it out elsewhere")
    # accelerate keeps one state a Python process; a second run may ask for another precision.
    if AcceleratorState._shared_state and AcceleratorState().num_processes == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    check_trackers(trackers)
    if folder is None:
        return Accelerator(cpu=device == "cpu", mixed_precision=precision)
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=precision,
        log_with=make_trackers(trackers, folder),
        project_config=ProjectConfiguration(logging_dir=str(folder)),
    )
    return accelerator


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
        last_good: the newest checkpoint, for messages.
        interruption: takes note of signals.
    """

    accelerator: Accelerator
    seed: int
    run: RunDirectory | None = None
    console: Console = field(default_factory=lambda: Console(quiet=True))
    saver: Saver | None = None
    command: str = "run"
    steps_done: int = 0
    last_good: str = "none was saved yet"

    def __post_init__(self) -> None:
        self.interruption = Interruption(self._interrupt, not self.console.quiet)
        self._tracking = True

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
        torch.manual_seed(derive_seed(self.seed, *purpose))

    def update(
        self, loss: torch.Tensor, model: nn.Module, optimizer: Any, clip_norm: float
    ) -> torch.Tensor | None:
        """One gradient step; returns the gradient's norm before it was clipped."""
        optimizer.zero_grad()
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        self.steps_done += 1
        return norm

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
        if self.interruption.number is not None:
            self.save()
            self._interrupt(self.interruption.number)
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
            place = self.saver.save(self.steps_done, *names)
        self.last_good = self.last_good if place is None else str(place)

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
                f"{self.last_good}; make room or mend the folder, and go on with: {self._go_on()}"
            ) from error

    def _interrupt(self, number: int) -> None:
        name = signal.Signals(number).name
        raise RunInterrupted(
            f"stopped by {name} after {self.steps_done} gradient steps; last good state: "
            f"{self.last_good}; go on with: {self._go_on()}",
            number,
        )

    def _go_on(self) -> str:
        """The command that goes on with the run."""
        assert self.run is not None
        folder = str(self.run.path)
        if self.run.checkpoints.all():
            words = ["--resume", folder]
        else:
            words = ["--config", f"{folder}/config.yaml", "--output_dir", folder]
            words += ["--resume", "auto"]
        return shlex.join(["seqgan", self.command, *words])

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


class LossWatch:
    """Mean of a loss, and a look-out for NaN, without making the host wait at every step.

    Args:
        stage: named in the error.
        advice: what the user can do.
    """

    def __init__(self, stage: str, advice: str):
        self.stage, self.advice = stage, advice
        self._sum: torch.Tensor | None = None
        self._count = 0

    def add(self, loss: torch.Tensor, gradient_norm: torch.Tensor | float | None) -> None:
        """Takes in the loss and the gradient's norm of one step; the device is not read."""
        gradient_norm = 0.0 if gradient_norm is None else gradient_norm
        # A gradient that is not finite spoils the parameters though the loss was fine.
        loss = loss.detach() + 0.0 * torch.as_tensor(gradient_norm, device=loss.device)
        self._sum = loss if self._sum is None else self._sum.to(loss.device) + loss
        self._count += 1

    def __len__(self) -> int:
        """Steps since the last reading."""
        return self._count

    def state_dict(self) -> dict[str, Any]:
        """What was gathered since the last reading."""
        return {"sum": self._sum, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        self._sum, self._count = state["sum"], int(state["count"])

    def read(self, step: int, last_good: str = "none") -> float:
        """The mean since the last reading.

        Raises:
            NonFiniteLossError: a loss since then was NaN or infinite.
        """
        mean = float(self._sum) / self._count if self._sum is not None else float("nan")
        first = step - self._count + 1
        self._sum, self._count = None, 0
        if not (mean - mean == 0):
            raise NonFiniteLossError(
                f"{self.stage}: the loss or its gradient became {mean} between steps {first} and "
                f"{step}; "
                f"last good state: {last_good}; {self.advice}"
            )
        return mean
