"""The arms of a cell: what they share, and what makes each of them out of the shared MLE model.

A method of a user's own is a function ``(mle, data, config, runtime, **arguments) -> policy``:
`mle` is a copy that it may train in place, `data` the data set, `config` all settings, `runtime`
has the device, the seed and the log.
"""

from __future__ import annotations

import copy
import functools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rollout import Policy, Sequences
from rollout.modules import frozen_copy, own_copy
from seqgan.config import RunConfig
from seqgan.config.dotted import import_dotted
from seqgan.data.bounded import bounded
from seqgan.data.dataset import Dataset
from seqgan.data.text.rows import chosen_rows
from seqgan.errors import ConfigError
from seqgan.evaluation.comparison import Comparison, Sweep, Swept, compare_with_control
from seqgan.evaluation.models import Evaluator
from seqgan.metrics import Score, signature
from seqgan.models import Generator, load_generator, make_generator, save_model
from seqgan.runs.files import write_folder, write_json
from seqgan.seeding import derive_seed, rng_for
from seqgan.training.control import run_control
from seqgan.training.fine_tuning import FineTuning
from seqgan.training.members import Members, make_ensemble, needs_ensemble
from seqgan.training.pretrain import pretrain
from seqgan.training.progress import Lines, Progress
from seqgan.training.runtime import Runtime, make_accelerator

from .suite import Method

__all__ = ["Compute", "Lab", "Measured", "Recorder"]


def _nowhere(line: str) -> None:
    """Shows nothing."""


class Compute(NamedTuple):
    """The work of training.

    Attributes:
        seconds: on the machine that is named in the result.
        tokens: in gradient steps of all models; what is only sampled or scored does not count.
        operations: of these steps, by the sizes of the models (see `Runtime.count`).
    """

    seconds: float = 0.0
    tokens: float = 0.0
    operations: float = 0.0

    def plus(self, other: Compute) -> Compute:
        """The sum of both."""
        return Compute(*(mine + more for mine, more in zip(self, other, strict=True)))

    @classmethod
    def kept(cls, record: dict[str, Any]) -> Compute:
        """The work in a record; 0 for what one of an earlier version lacks."""
        return cls(*(float(record.get(name, 0.0)) for name in cls._fields))


@dataclass
class Recorder(Runtime):
    """A runtime that keeps what is logged and said.

    Attributes:
        lines: for each stage its lines.
        notes: what was said.
        seconds: of the training of an arm.
        show: takes a line about the progress of long work.
    """

    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    show: Callable[[str], None] = _nowhere
    _began: float = field(default_factory=time.monotonic, repr=False)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Takes the time of the training of an arm, for `seconds`."""
        self._began = time.monotonic()
        yield
        self.seconds = time.monotonic() - self._began

    @property
    def compute(self) -> Compute:
        """The training of an arm, without its start."""
        return Compute(self.seconds, float(self.tokens), float(self.operations))

    def log(self, stage: str, step: int, **values: float | int | None) -> None:
        """Keeps one line of metrics; of validation also what was paid for the policy so far."""
        line: dict[str, Any] = {"step": step, **values}
        if stage.endswith("validation"):
            seconds = round(time.monotonic() - self._began, 1)
            line |= {"tokens": float(self.tokens), "seconds": seconds}
        self.lines.setdefault(stage, []).append(line)

    def say(self, text: str) -> None:
        """Keeps a line for people."""
        self.notes.append(text)

    def make_progress(self, label: str, unit: str, total: int, done: int) -> Progress:
        """Lines about work that takes long; the bars of several cells would not mix."""
        return Lines(self.show, label, unit, total, done, at_once=False)


@dataclass(frozen=True)
class Measured:
    """Result of an arm.

    Attributes:
        scores: at temperature 1, or of the ceiling's sequences.
        comparison: with MLE, of a method or control.
        swept: the model's points, of a model.
        between: with its control, of a method that has one.
        more: other parts of the result, as JSON has them.
    """

    scores: list[Score]
    comparison: Comparison | None = None
    swept: Swept | None = None
    between: Comparison | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Lab:
    """Things that the arms of a cell share: data, MLE model and its sweep, measurements.

    Args:
        config: the cell's settings.
        data: the data set; the settings bound what of it is measured.
        metrics: dotted paths of metrics of the user's own.
        folder: where MLE models with other seeds are kept; None: nowhere.

    Attributes:
        show: takes a line about the progress of long work.
        mle_compute: the training of the shared MLE model.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Dataset,
        metrics: tuple[str, ...] = (),
        folder: Path | None = None,
    ):
        self.config, self.data = config, bounded(data, config.evaluation)
        self.metrics = {name: import_dotted(name, "metric") for name in metrics}
        self.mle: Swept | None = None
        self.show: Callable[[str], None] = _nowhere
        self.folder, self.mle_compute = folder, Compute()
        self._members: list[tuple[Generator, Compute]] = []
        self._starts: dict[str, tuple[Policy, Compute]] = {}
        self._controls: dict[str, tuple[Policy, Recorder]] = {}

    @functools.cached_property
    def evaluator(self) -> Evaluator:
        """Scores of models."""
        return Evaluator(self.data, self.config.evaluation, self.config.seed)

    @functools.cached_property
    def sweep(self) -> Sweep:
        """Measurements of models at temperatures.

        It is never asked to validate: that has a memory, and no arm may depend on another.
        """
        return Sweep(self.data, self.config.evaluation, self.config.seed)

    def runtime(self) -> Recorder:
        """A fresh runtime of the cell's seed: equal for all arms, so that they differ by less."""
        accelerator = make_accelerator(self.config.device)
        return Recorder(accelerator, self.config.seed, show=self.show)

    def set_mle(self, policy: Policy) -> None:
        """The model that all arms share."""
        self.sweep.settle(policy)
        self.mle = Swept(policy, self.sweep)

    def baseline(self) -> Measured:
        """The shared MLE model."""
        assert self.mle is not None
        return Measured(self._scores(self.mle.policy, "mle"), swept=self.mle)

    def compared(
        self, policy: Policy, name: str, control: Policy | None = None, *, half: bool = False
    ) -> Measured:
        """A model against the shared MLE model, and against its control.

        Args:
            policy: the model.
            name: of the arm.
            control: the same training with a random reward, or None.
            half: sweep it with half of the samples, as controls are.
        """
        assert self.mle is not None
        swept = Swept(policy, self.sweep.halved() if half else self.sweep)
        compared = compare_with_control(
            self.mle, swept, None if control is None else Swept(control, self.sweep.halved()),
            alone=False,
        )  # fmt: skip
        scores = self._scores(policy, name)
        return Measured(scores, compared.method, swept, compared.between)

    def ceiling(self, name: str) -> Measured:
        """The real test split, or sequences of the training split passed off as samples."""
        if name == "real":
            measured = self.evaluator.test_rows.tolist()
            tokens = chosen_rows(self.data.real_tokens("test"), measured)
            return Measured(self.evaluator.real() + self._own_metrics(tokens))
        count = min(self.evaluator.count, len(self.data.train))
        rng = rng_for(self.config.seed, "training-copy")
        rows = torch.randperm(len(self.data.train), generator=rng)[:count]
        samples: Sequences = self.data.train.select(rows)
        tokens = chosen_rows(self.data.real_tokens("train"), rows.tolist())
        return Measured(self.evaluator.sequences(samples, tokens) + self._own_metrics(tokens))

    def model(
        self, method: Method, config: RunConfig, runtime: Recorder
    ) -> tuple[Policy, float | None]:
        """The model that a method makes out of a copy of MLE's, or of its own start.

        Returns:
            The model, and the spread of its advantages if it comes from adversarial rounds.
        """
        mle, ensemble = self._begin(method, config), None
        if needs_ensemble(config):
            ensemble = make_ensemble(config, self.members(config.ensemble.size))
        members = {"members": self.members(method.members)} if method.members else {}
        if method.call is None:
            with runtime.timed():
                reference = frozen_copy(mle).to(runtime.device)
                work = FineTuning(config, self.data, mle, reference, runtime, ensemble)
                work.run(copy.copy(self.sweep).validate)
            return mle, work.player.spread
        call: Callable[..., Any] = import_dotted(method.call, f"method {method.name}: call")
        with runtime.timed():
            policy = call(mle, self.data, config, runtime, **members, **method.arguments)
        if not isinstance(policy, Policy):
            raise ConfigError(
                f"method {method.name}: {method.call} returned a {type(policy).__name__}, not a "
                "rollout.Policy"
            )
        return policy, None

    def scores(self, method: Method, config: RunConfig, runtime: Recorder) -> Measured:
        """Scores of a method that makes no policy."""
        assert method.measure is not None
        function: Callable[..., Any] = import_dotted(method.measure, "measure")
        start = self._begin(method, config)
        with runtime.timed():
            found = function(start, self.data, config, runtime, **method.arguments)
        return found if isinstance(found, Measured) else Measured(found)

    def control(self, method: Method, config: RunConfig, spread: float) -> tuple[Policy, Recorder]:
        """The control of a method, with the record of its rounds; it is trained once per cell.

        Args:
            method: the method.
            config: its settings.
            spread: of the advantages that the method had.
        """
        if method.name not in self._controls:
            runtime, half = self.runtime(), self.sweep.halved()
            generator = self._begin(method, config).to(runtime.device)
            reference = frozen_copy(generator)
            with runtime.timed():
                run_control(generator, reference, spread, config, self.data, half.validate, runtime)
            self._controls[method.name] = generator, runtime
        return self._controls[method.name]

    def compute(self, method: Method, config: RunConfig, runtime: Recorder) -> Compute:
        """All training behind an arm: its start, its members, and its own."""
        total = self._start(config)[1] if method.own_start else self.mle_compute
        count = config.ensemble.size if needs_ensemble(config) else method.members
        for _, each in self._members[:count]:
            total = total.plus(each)
        return total.plus(runtime.compute)

    def members(self, count: int) -> list[Generator]:
        """The first MLE models with other seeds; each is trained once per cell, and kept."""
        while len(self._members) < count:
            number = len(self._members)
            place = None if self.folder is None else self.folder / str(number + 1)
            if place is not None and (place / "training.json").is_file():
                kept = json.loads((place / "training.json").read_text(encoding="utf-8"))
                model = load_generator(place / "generator", self.runtime().device)
                model.requires_grad_(False)
                self._members.append((model, Compute.kept(kept)))
            else:
                self._members.append(self._member(number, place))
        return [model for model, _ in self._members[:count]]

    def _member(self, number: int, place: Path | None) -> tuple[Generator, Compute]:
        """An MLE model with another seed, trained and kept."""
        runtime = self.runtime()
        with runtime.timed():
            model = Members(self.config, self.data, runtime, None).train(number)
        runtime.seconds = round(runtime.seconds, 1)
        model.eval().requires_grad_(False)
        kept = runtime.compute

        def write(aside: Path) -> None:
            save_model(model, aside / "generator")
            write_json(aside / "training.json", kept._asdict())

        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_folder(place, write)
        return model, kept

    def _begin(self, method: Method, config: RunConfig) -> Any:
        """A copy of the model that a method begins with."""
        assert self.mle is not None
        start: Any = self._start(config)[0] if method.own_start else self.mle.policy
        return own_copy(start)

    def _start(self, config: RunConfig) -> tuple[Policy, Compute]:
        """An MLE model other than the tuned one; arms with the same settings share it."""
        key = repr((config.generator, config.pretrain))
        if key not in self._starts:
            seed = derive_seed(config.seed, "generator")
            model: Any = make_generator(config.generator, self.data.spec, seed)
            train, validation = self.data.train, self.data.validation
            runtime = self.runtime()
            with runtime.timed():
                pretrain(model, train, validation, config.pretrain, runtime)
            self._starts[key] = model, runtime.compute
        return self._starts[key]

    def _scores(self, policy: Policy, name: str) -> list[Score]:
        scores, samples = self.evaluator.model(policy, name)
        return scores + self._own_metrics(self.data.codec.tokens(samples))

    def _own_metrics(self, tokens: list[list[Any]]) -> list[Score]:
        """The user's own metrics of token sequences, each a number or a `Score`."""
        scores = []
        for name, metric in self.metrics.items():
            value = metric(tokens, self.data)
            if not isinstance(value, Score):
                short = name.replace(":", ".").rpartition(".")[2]
                sign = signature(short, call=name, n=len(tokens))
                value = Score(short, float(value), None, len(tokens), "none", sign)
            scores.append(value)
        return scores
