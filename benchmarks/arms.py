"""The arms of a cell: what they share, and what makes each of them out of the shared MLE model.

A method of a user's own is a function ``(mle, data, config, runtime, **arguments) -> policy``:
`mle` is a copy that it may train in place, `data` the data set, `config` all settings, `runtime`
has the device, the seed and the log.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

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
from seqgan.metrics.likelihood import token_nll
from seqgan.models import make_generator
from seqgan.seeding import derive_seed, rng_for
from seqgan.training.control import run_control
from seqgan.training.fine_tuning import FineTuning
from seqgan.training.pretrain import pretrain
from seqgan.training.progress import Lines, Progress
from seqgan.training.runtime import Runtime, make_accelerator

from .suite import Method

__all__ = ["Lab", "Measured", "Recorder", "continued", "cooled", "unchanged"]


def _nowhere(line: str) -> None:
    """Shows nothing."""


@dataclass
class Recorder(Runtime):
    """A runtime that keeps what is logged and said.

    Attributes:
        lines: for each stage its lines.
        notes: what was said.
        show: takes a line about the progress of long work.
    """

    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    show: Callable[[str], None] = _nowhere

    def log(self, stage: str, step: int, **values: float | int | None) -> None:
        """Keeps one line of metrics."""
        self.lines.setdefault(stage, []).append({"step": step, **values})

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
    """

    scores: list[Score]
    comparison: Comparison | None = None
    swept: Swept | None = None
    between: Comparison | None = None


class Lab:
    """Things that the arms of a cell share: data, MLE model and its sweep, measurements.

    Args:
        config: the cell's settings.
        data: the data set; the settings bound what of it is measured.
        metrics: dotted paths of metrics of the user's own.

    Attributes:
        show: takes a line about the progress of long work.
    """

    def __init__(self, config: RunConfig, data: Dataset, metrics: tuple[str, ...] = ()):
        self.config, self.data = config, bounded(data, config.evaluation)
        self.metrics = {name: import_dotted(name, "metric") for name in metrics}
        self.mle: Swept | None = None
        self.show: Callable[[str], None] = _nowhere
        self._starts: dict[str, Policy] = {}
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
        mle = self._begin(method, config)
        if method.call is None:
            reference = frozen_copy(mle).to(runtime.device)
            work = FineTuning(config, self.data, mle, reference, runtime)
            work.run(copy.copy(self.sweep).validate)
            return mle, work.player.spread
        call: Callable[..., Any] = import_dotted(method.call, f"method {method.name}: call")
        policy = call(mle, self.data, config, runtime, **method.arguments)
        if not isinstance(policy, Policy):
            raise ConfigError(
                f"method {method.name}: {method.call} returned a {type(policy).__name__}, not a "
                "rollout.Policy"
            )
        return policy, None

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
            run_control(generator, reference, spread, config, self.data, half.validate, runtime)
            self._controls[method.name] = generator, runtime
        return self._controls[method.name]

    def _begin(self, method: Method, config: RunConfig) -> Any:
        """A copy of the model that a method begins with."""
        assert self.mle is not None
        start: Any = self._start(config) if method.own_start else self.mle.policy
        return own_copy(start)

    def _start(self, config: RunConfig) -> Policy:
        """An MLE model other than the tuned one; arms with the same settings share it."""
        key = repr((config.generator, config.pretrain))
        if key not in self._starts:
            seed = derive_seed(config.seed, "generator")
            model: Any = make_generator(config.generator, self.data.spec, seed)
            train, validation = self.data.train, self.data.validation
            pretrain(model, train, validation, config.pretrain, self.runtime())
            self._starts[key] = model
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


def continued(mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime) -> Policy:
    """MLE going on: early stopping from the shared model, the learning rate started again lower.

    The shared model itself is kept where no epoch is better on validation.
    """
    model: Any = mle
    start, state = token_nll(mle, data.validation.to(runtime.device)), model.state_dict()
    state = {key: value.clone() for key, value in state.items()}
    usual = config.pretrain.optimizer
    optimizer = replace(usual, learning_rate=usual.learning_rate * usual.factor)
    settings = replace(config.pretrain, optimizer=optimizer, early_stopping=True)
    # Other random numbers than the first time: order of the data and dropout.
    again = replace(runtime, seed=derive_seed(config.seed, "mle-continued"))
    work = pretrain(model, data.train, data.validation, settings, again)
    if work.best_nll >= start:
        model.load_state_dict(state)
    return mle


def unchanged(mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime) -> Policy:
    """The model that a method begins with, as it is."""
    return mle


def cooled(
    mle: Policy, data: Dataset, config: RunConfig, runtime: Runtime, temperature: float
) -> Policy:
    """MLE at another temperature, passed off as a method: what must not be called better."""
    return mle.tempered(temperature)
