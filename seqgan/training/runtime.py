"""What every stage of training needs: device, seed, log, progress."""

from __future__ import annotations

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
from torch import nn

from ..errors import ConfigError, NonFiniteLossError
from ..seeding import derive_seed, rng_for
from .run_directory import RunDirectory
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
    accelerator.init_trackers("")
    return accelerator


@dataclass
class Runtime:
    """Device, seed, log and progress of one run.

    Attributes:
        accelerator: device, precision and processes.
        seed: the run's seed, from which every piece of work derives its own.
        run: where the run is written; None: nowhere.
        console: where progress and tables are shown.
        steps_done: gradient steps of all models so far: the number of the next checkpoint.
        last_good: the newest checkpoint, for messages.
    """

    accelerator: Accelerator
    seed: int
    run: RunDirectory | None = None
    console: Console = field(default_factory=lambda: Console(quiet=True))
    steps_done: int = 0
    last_good: str = "none was saved yet"

    @property
    def device(self) -> torch.device:
        """Where tensors belong."""
        return self.accelerator.device

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

    def log(self, stage: str, step: int, **values: float | int | None) -> None:
        """One line of metrics."""
        if self.run is not None and self.accelerator.is_main_process:
            self.run.log(stage, step, values)
            self.accelerator.log({f"{stage}/{key}": value for key, value in values.items()}, step)

    def say(self, text: str) -> None:
        """Shows a line to the user."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

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
        self._sum = loss if self._sum is None else self._sum + loss
        self._count += 1

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
