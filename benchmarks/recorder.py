"""The work that training took, and what it logged and said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from seqgan.training.progress import Lines, Progress
from seqgan.training.runtime import Runtime

__all__ = ["Compute", "Recorder", "nowhere"]

CURVES = ("mle", "discriminator", "validation")
"""The stages whose log is kept for learning curves."""


def nowhere(line: str) -> None:
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
        """The work in a record."""
        return cls(*(float(record[name]) for name in cls._fields))


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
    show: Callable[[str], None] = nowhere
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
            paid = self.compute._replace(seconds=round(time.monotonic() - self._began, 1))
            line |= paid._asdict()
        self.lines.setdefault(stage, []).append(line)

    def say(self, text: str) -> None:
        """Keeps a line for people."""
        self.notes.append(text)

    def make_progress(self, label: str, unit: str, total: int, done: int) -> Progress:
        """Lines about work that takes long; the bars of several cells would not mix."""
        return Lines(self.show, label, unit, total, done, at_once=False)

    def record(self) -> dict[str, Any]:
        """All of it as a result file has it."""
        lines = dict(self.lines)
        if "control-validation" in lines:  # the validation of an arm of its own
            lines["validation"] = lines["control-validation"]
        curves = {stage: lines[stage] for stage in CURVES if stage in lines}
        return {**self.compute._asdict(), "curves": curves, "notes": self.notes}
