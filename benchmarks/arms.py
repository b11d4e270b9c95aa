"""The arms of a cell: what they share, and what makes each of them out of the shared MLE model.

A method of a user's own is a function ``(mle, data, config, runtime, **arguments) -> policy``:
`mle` is a copy that it may train in place, `data` the data set, `config` all settings, `runtime`
has the device, the seed and the log.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from rollout import Policy, Sequences
from rollout.modules import frozen_copy, own_copy
from seqgan.config import RunConfig
from seqgan.config.dotted import import_dotted
from seqgan.config.reading import run_config
from seqgan.data.bounded import bounded
from seqgan.data.dataset import Dataset, fingerprint
from seqgan.data.text.rows import chosen_rows
from seqgan.errors import ConfigError
from seqgan.evaluation.comparison import Comparison, Sweep, Swept, compare_with_control
from seqgan.evaluation.models import Evaluator
from seqgan.metrics import Score, signature
from seqgan.models import Discriminator, Generator, load_discriminator, save_model
from seqgan.seeding import rng_for
from seqgan.training.control import run_control
from seqgan.training.fine_tuning import FineTuning
from seqgan.training.members import make_ensemble, needs_ensemble
from seqgan.training.runtime import make_accelerator

from .kept import Record, kept
from .recorder import Compute, Recorder, nowhere
from .starts import Starts, key_of
from .suite import Arm, Method, of_control

__all__ = ["Lab", "Measured"]


def _member_count(arm: Arm, config: RunConfig) -> int:
    """Members of an arm: those of its ensemble, or those that its function asks for."""
    method = arm.method
    assert method is not None
    function = method.call is not None or method.measure is not None
    return config.ensemble.size if not function and needs_ensemble(config) else method.members


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
        folder: where trained models are kept; None: nowhere.

    Attributes:
        show: takes a line about the progress of long work.
        mle: the MLE model that arms share, once `begin` was called.
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
        self.show: Callable[[str], None] = nowhere
        self.folder = folder
        self._starts: dict[str, Starts] = {}
        self._controls: dict[str, tuple[Policy, Record]] = {}
        self._judges: dict[str, Discriminator] = {}

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

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the data that models are trained with and measured by."""
        return fingerprint(self.data)

    def runtime(self) -> Recorder:
        """A fresh runtime of the cell's seed: equal for all arms, so that they differ by less."""
        accelerator = make_accelerator(self.config.device)
        return Recorder(accelerator, self.config.seed, show=self.show)

    def begin(self) -> Record:
        """Trains the MLE model that arms share, or reads it; returns the record of its training."""
        policy, record = self.starts(self.config).first()
        self.sweep.settle(policy)
        self.mle = Swept(policy, self.sweep)
        return record

    def starts(self, config: RunConfig) -> Starts:
        """The MLE models of the network and the training that settings describe."""
        key, shared = key_of(config), key_of(self.config)
        if key not in self._starts:
            place = self.folder
            if place is not None and key != shared:
                place = place / "starts" / key
            self._starts[key] = Starts(config, self.data, self.fingerprint, place, self.runtime)
        return self._starts[key]

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

    def model(self, arm: Arm, config: RunConfig) -> tuple[Policy, Record]:
        """The model that an arm's method makes out of a copy of MLE's, or of its own start.

        Args:
            arm: one that has a method.
            config: its settings.

        Returns:
            The model, and the record of its training: with the spread of its advantages if it
            comes from adversarial rounds.
        """
        assert arm.method is not None
        runtime = self.runtime()
        about = {"config": arm.config, "method": arm.facts(), "data": self.fingerprint}
        train = functools.partial(self._trained, arm, config, runtime)
        judge = functools.partial(self._write_judge, arm.name)
        return kept(self._place(arm.name), about, runtime.device, train, judge)

    def _trained(self, arm: Arm, config: RunConfig, runtime: Recorder) -> tuple[Policy, Record]:
        method = arm.method
        assert method is not None
        mle, found = self._begin(method, config), self.members(arm, config)
        if method.call is None:
            # Other arms have these members too, and an algorithm may train its own (`refresh`).
            ensemble = make_ensemble(config, [own_copy(each) for each in found]) if found else None
            with runtime.timed():
                reference = frozen_copy(mle).to(runtime.device)
                work = FineTuning(config, self.data, mle, reference, runtime, ensemble)
                rounds = work.run(copy.copy(self.sweep).validate)
            if config.generator.judge is not None and work.discriminator is not None:
                self._judges[arm.name] = work.discriminator
            own_record = {"spread": work.player.spread, "calls": work.judged(rounds)}
            return mle, {**runtime.record(), **own_record}
        members = {"members": found} if found else {}
        call: Callable[..., Any] = import_dotted(method.call, f"method {method.name}: call")
        with runtime.timed():
            policy = call(mle, self.data, config, runtime, **members, **method.arguments)
        if not isinstance(policy, Policy):
            raise ConfigError(
                f"method {method.name}: {method.call} returned a {type(policy).__name__}, not a "
                "rollout.Policy"
            )
        return policy, runtime.record()

    def scores(self, arm: Arm, config: RunConfig, runtime: Recorder) -> Measured:
        """Scores of an arm whose method makes no policy."""
        method = arm.method
        assert method is not None and method.measure is not None
        function: Callable[..., Any] = import_dotted(method.measure, "measure")
        start, others = self._begin(method, config), self.members(arm, config)
        given = {**method.arguments, **({"members": others} if others else {})}
        with runtime.timed():
            found = function(start, self.data, config, runtime, **given)
        return found if isinstance(found, Measured) else Measured(found)

    def control(self, arm: Arm, config: RunConfig, spread: float) -> tuple[Policy, Record]:
        """The control of a method, with the record of its rounds; it is trained once per cell.

        Args:
            arm: the method's, or the control's own.
            config: its settings.
            spread: of the advantages that the method had.
        """
        assert arm.method is not None
        name = f"{arm.method.name}-random"
        if name not in self._controls:
            runtime = self.runtime()
            # The method's arm and the control's own say the same.
            settings = of_control(arm.config)
            about = {"config": settings, "spread": spread, "data": self.fingerprint}
            train = functools.partial(self._control, arm.method, config, spread, runtime)
            self._controls[name] = kept(self._place(name), about, runtime.device, train)
        return self._controls[name]

    def _control(
        self, method: Method, config: RunConfig, spread: float, runtime: Recorder
    ) -> tuple[Policy, Record]:
        half = self.sweep.halved()
        generator = self._begin(method, config).to(runtime.device)
        reference = frozen_copy(generator)
        with runtime.timed():
            run_control(
                generator, reference, spread, config, self.data, half.validate, runtime,
                discriminator=self._judge(method.name, config, runtime.device),
            )  # fmt: skip
        return generator, runtime.record()

    def _judge(self, method: str, config: RunConfig, device: torch.device) -> Discriminator | None:
        """The discriminator as a method's rounds left it; None if its generator reads none.

        A control begins, as its method did, with a generator whose features are those of a trained
        discriminator (LeakGAN); it may be trained by another process than the method was.

        Raises:
            ConfigError: there is none.
        """
        if config.generator.judge is None:
            return None
        if method not in self._judges:
            place = self._place(method)
            found = None
            if place is not None:
                found = load_discriminator(place / "discriminator", self.data.codec, device)
            if found is None:
                raise ConfigError(
                    f"{method}: its generator reads the discriminator, and none was kept for the "
                    f"control; remove the result of {method}, and policies/{method} beside it if "
                    "that is there, so that it is trained again"
                )
            self._judges[method] = found
        return self._judges[method]

    def _write_judge(self, arm: str, folder: Path) -> None:
        """Writes the discriminator that an arm's generator reads beside its policy."""
        if arm in self._judges:
            save_model(self._judges[arm], folder / "discriminator")

    def compute(self, arm: Arm, config: RunConfig, record: Record) -> Compute:
        """All training behind an arm: its start, its members, and its own."""
        assert arm.method is not None
        if config.adversarial.start == "scratch":  # MLE is there for the comparison alone
            return Compute.kept(record)
        start = self.starts(self._network(arm.method, config)).first()[1]
        others = self._others(arm, config).compute(_member_count(arm, config))
        return Compute.kept(start).plus(others).plus(Compute.kept(record))

    def members(self, arm: Arm, config: RunConfig) -> list[Generator]:
        """The members of an arm's ensemble, or those that its function is called with."""
        return self._others(arm, config).members(_member_count(arm, config))

    def start(self, arm: Arm, config: RunConfig) -> Any:
        """The model that an arm's method begins with a copy of."""
        assert arm.method is not None
        return self.starts(self._network(arm.method, config)).first()[0]

    def _others(self, arm: Arm, config: RunConfig) -> Starts:
        """The models with other seeds that an arm may have as members."""
        assert arm.method is not None
        if arm.members is not None:
            return self.starts(run_config(copy.deepcopy(arm.members), "the members"))
        return self.starts(self._network(arm.method, config))

    def _network(self, method: Method, config: RunConfig) -> RunConfig:
        """The settings of the network that a method begins with."""
        return config if method.own_start else self.config

    def _begin(self, method: Method, config: RunConfig) -> Any:
        """A copy of the model that a method begins with."""
        start: Any = self.starts(self._network(method, config)).first()[0]
        return own_copy(start)

    def _place(self, arm: str) -> Path | None:
        """The folder of an arm's policy."""
        return None if self.folder is None else self.folder / "policies" / arm

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
