"""Shared by all stages of training: device, seed, log, progress."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from safetensors import SafetensorError
from torch import nn

from rollout import MixedPrecision, Policy
from rollout.devices import autocast, reads_synchronise
from rollout.graphs import Graphs, records_on
from rollout.randomness import seed_everything

from ..errors import ConfigError, RunDirectoryError, RunInterrupted
from ..runs.resume import resume_command
from ..runs.run_directory import RunDirectory
from ..runs.saver import Saver
from ..runs.state import Stateful
from ..seeding import derive_seed, rng_for
from ..terminal import say
from .accelerators import make_accelerator
from .callbacks import Callbacks, Sample, markdown_table
from .interruption import SIGNALS, Interruption
from .processes import Processes, launcher
from .progress import Progress, make_progress
from .trackers import show_picture

__all__ = ["MLE_SAMPLES", "SAMPLES", "Runtime", "make_accelerator"]

SAMPLES, MLE_SAMPLES = "samples", "mle-samples"
"""Stages of the log that hold samples: of the rounds, and of MLE."""
_PRODUCTS = {"no": None, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Number types of the products of training steps, by the setting."""


@dataclass
class Runtime:
    """Device, seed, log and progress of one run.

    Attributes:
        accelerator: device, precision and processes.
        seed: the run's seed, from which every piece of work derives its own.
        run: where the run is written; None: nowhere.
        console: where progress and tables are shown.
        saver: writes checkpoints; None: there are none.
        command: of the command line that resumes the run: run, pretrain or finetune.
        steps_done: gradient steps of all models so far: the number of the next checkpoint.
        interruption: notes signals.
        callbacks: functions of the user's that are told how the rounds go.
        graphs: record gradient steps as CUDA graphs, on devices that have them.
        sampling_precision: of the products of the samples and rollouts that a player learns from:
            no (as they are), or bf16.
        processes: those that share the work.
    """

    accelerator: Accelerator
    seed: int
    run: RunDirectory | None = None
    console: Console = field(default_factory=lambda: Console(quiet=True))
    saver: Saver | None = None
    command: str = "run"
    steps_done: int = 0
    callbacks: Callbacks = field(default_factory=Callbacks)
    graphs: bool = True
    sampling_precision: str = "no"

    def __post_init__(self) -> None:
        self.interruption = Interruption(self._interrupt, not self.console.quiet)
        self.processes = Processes(self.accelerator, self._lost_process)
        self.tokens: torch.Tensor | float = 0.0
        self.operations: torch.Tensor | float = 0
        self._tracking = True
        self._progress: Progress | None = None
        self._signals: torch.Tensor | None = None
        self._before: torch.Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.accelerator.device

    @property
    def fused(self) -> bool:
        """Tells if optimizers update all parameters in one pass: on devices with that kernel."""
        return self.device.type in ("cpu", "cuda")

    @property
    def records(self) -> bool:
        """Tells if gradient steps are recorded as CUDA graphs.

        Several processes exchange their gradients within a step, and the scaler of fp16 reads what
        it did; those steps are taken one operation after another.
        """
        alone = self.processes.count == 1 and self.accelerator.scaler is None
        return self.graphs and alone and records_on(self.device)

    def recordings(self) -> Graphs | None:
        """Recordings of one owner; None: nothing is recorded. A failure is said to the user."""
        if not self.records:
            return None
        return Graphs(on_failure=lambda line: self.say(f"warning: {line}"))

    def drawing(self, policy: Policy) -> Policy:
        """A policy as it is sampled in training, in the precision for that."""
        dtype = _PRODUCTS[self.sampling_precision]
        return policy if dtype is None else MixedPrecision(policy, dtype)

    def rng(self, *purpose: str | int) -> torch.Generator:
        """A random generator for one piece of work."""
        return rng_for(self.seed, *purpose)

    def seed_dropout(self, *purpose: str | int) -> None:
        """Seeds the global generators, which dropout draws from, for one piece of work."""
        if self.processes.count > 1:  # else all would drop the same units of different rows
            purpose = (*purpose, "process", self.processes.index)
        seed_everything(derive_seed(self.seed, *purpose))

    def count(self, mask: torch.Tensor, model: nn.Module) -> None:
        """Counts the tokens of a batch that a model takes a gradient step on, in `tokens`.

        Its `operations`, multiplications and additions, are taken for 6 per token and parameter: 2
        forwards, 4 backwards (Kaplan et al. 2020, section 2.1; here embeddings count as well). A
        frozen parameter has 2 backwards: gradients pass through it, and it has none itself.
        """
        found = mask.sum()
        each = sum((6 if own.requires_grad else 4) * own.numel() for own in model.parameters())
        self.tokens = self.tokens + found
        self.operations = self.operations + each * found

    def prepare(self, model: nn.Module, optimizer: Any) -> tuple[nn.Module, Any]:
        """A model on its device, and its optimizer for `Learner.update`.

        The model is not handed to accelerate, which would put a `forward` with mixed precision on
        it: measurements, samples and copies of the model are in full precision.
        """
        return model.to(self.device), self.accelerator.prepare_optimizer(optimizer)

    def autocast(self) -> AbstractContextManager[object]:
        """The precision of training steps, for the forward pass and what it is compared with."""
        return autocast(self.device, _PRODUCTS[self.accelerator.mixed_precision])

    def add_up(self, loss: torch.Tensor, model: nn.Module) -> torch.Tensor:
        """Gradients and loss of the whole batch, and the signals that came to any process.

        Args:
            loss: what this process's part adds to the loss of the batch (see `Part`).
            model: whose parameters have the gradients.
        """
        if self.processes.count == 1:
            return loss
        came = [float(number == self.interruption.number) for number in SIGNALS]
        total, signals = loss.detach().clone(), loss.new_tensor(came)
        gradients = [each.grad for each in model.parameters() if each.grad is not None]
        self.processes.add_up(*gradients, total, signals)
        # Those of the step before, where reading this step's would make the host wait for it.
        waits = reads_synchronise(self.device)
        self._before, self._signals = (self._signals, signals) if waits else (signals, signals)
        return total

    def apart(self) -> Runtime:
        """The same device and seed without log and checkpoints, for a training that leaves none."""
        other = copy.copy(self)
        other.run = other.saver = other._progress = None
        other.console, other._tracking = Console(quiet=True), False
        return other

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
        """Tells if the run was resumed from a checkpoint of a later phase."""
        return self.saver is not None and self.saver.past(phase)

    def pause(self) -> None:
        """Marks a moment from which the work can be resumed: after each gradient step.

        Writes a checkpoint if one is due, and ends the run if a signal has asked for it.

        Raises:
            RunInterrupted: a signal came.
        """
        if self._progress is not None:
            self._progress.beat(f"gradient step {self.steps_done:,}")
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
        with self.writing("the checkpoint"):
            self.saver.save(self.steps_done, *names)

    def saved_before(self) -> str:
        """Saves the state from before a step that failed.

        Returns:
            The end of a message: the checkpoint, and the command that resumes from it.
        """
        if self.saver is None:
            return ""
        self.save()
        return f"; {self.what_is_left('mend it, then resume with')}"

    def last_good(self) -> str:
        """The newest checkpoint, for messages; processes that write none see it too."""
        places = [] if self.run is None else self.run.checkpoints.all()
        return str(places[0]) if places else "none yet"

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
        """Restores the counters; the logs have been cut back already."""
        self.steps_done = int(state["steps_done"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turns a disk error into one that names the last good checkpoint and how to resume."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            assert self.run is not None
            reason = error.strerror if isinstance(error, OSError) else str(error)
            left = self.what_is_left("free disk space or fix the folder, then resume with")
            raise RunDirectoryError(
                f"{self.run.path}: {what} cannot be written ({reason}); {left}"
            ) from error

    def _interrupt(self, number: int) -> None:
        name = signal.Signals(number).name
        raise RunInterrupted(
            f"stopped by {name} after {self.steps_done} gradient steps; {self.what_is_left()}",
            number,
        )

    def what_is_left(self, how: str = "resume with") -> str:
        """The end of a message: the last good checkpoint, and the command to resume."""
        return f"last good checkpoint: {self.last_good()}; {how}: {self._resume_command()}"

    def _lost_process(self) -> str:
        """The end of the message about a lost process."""
        return "" if self.run is None else f"; {self.what_is_left()}"

    def _resume_command(self) -> str:
        """The command that resumes the run."""
        assert self.run is not None
        return resume_command(self.run, self.command, launcher())

    def log(self, stage: str, step: int, **values: float | int | None) -> None:
        """One line of metrics."""
        if self.run is None or not self.accelerator.is_main_process:
            return
        with self.writing("metrics.jsonl"):
            self.run.log(stage, step, values)
        self._track({f"{stage}/{key}": value for key, value in values.items()}, step)

    def log_step(self, stage: str, step: int, values: dict[str, float]) -> None:
        """One line of metrics about a generator step, which `on_step` is told of."""
        self.log(stage, step, **values)
        if stage == "adversarial" and self.processes.is_main:
            self.callbacks.on_step(step, dict(values))

    def log_samples(self, step: int, samples: list[Sample], stage: str = SAMPLES) -> None:
        """Samples with their rewards: a line of metrics, and a table of text for the trackers."""
        if self.run is None or not self.accelerator.is_main_process:
            return
        with self.writing("metrics.jsonl"):
            self.run.log(stage, step, {"samples": [asdict(each) for each in samples]})
        self._track({f"{stage}/table": markdown_table(samples)}, step)

    def show_picture(self, name: str, picture: bytes) -> None:
        """Shows a PNG where measurements are tracked; see `trackers.show_picture`."""
        if self.accelerator.is_main_process:
            self._hand_over(lambda: show_picture(self.accelerator.trackers, name, picture))

    def _track(self, values: dict[str, Any], step: int) -> None:
        """Shows values in the trackers; one that fails is left out from then on."""
        self._hand_over(lambda: self.accelerator.log(values, step))

    def _hand_over(self, work: Callable[[], None]) -> None:
        """Gives the trackers something; if that fails, the run continues without them."""
        if not self._tracking:
            return
        try:
            work()
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
    def progress(self, label: str, unit: str, total: int, done: int = 0) -> Iterator[Progress]:
        """Shows how far a stage has come: a bar at a terminal, lines elsewhere.

        Args:
            label: name of the stage.
            unit: what is counted, in the plural.
            total: units of the stage, at most.
            done: units that were done before.
        """
        with self.make_progress(label, unit, total, done) as self._progress:
            try:
                yield self._progress
            finally:
                self._progress = None

    def make_progress(self, label: str, unit: str, total: int, done: int) -> Progress:
        """The progress of a stage on this runtime's console."""
        return make_progress(self.console, label, unit, total, done)


def _tracker_fails(error: Exception) -> str:
    return (
        f"measurements cannot be tracked ({type(error).__name__}: {error}); the run continues "
        "without trackers, and metrics.jsonl has every measurement"
    )
