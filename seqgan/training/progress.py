"""Progress of long work: a bar at a terminal, lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from ..terminal import say

__all__ = ["Bar", "Lines", "Progress", "make_progress"]

LINE_SECONDS = 10.0
"""Seconds between two lines about finished units, at least."""
BEAT_SECONDS = 20.0
"""Seconds without a line after which unfinished work shows one."""


class Progress:
    """Progress of a stage of the work. The base class shows nothing.

    Args:
        label: name of the stage.
        unit: what is counted, in the plural.
        total: units of the stage, at most.
        done: units that were done before.
        clock: the time in seconds.
    """

    def __init__(
        self,
        label: str,
        unit: str,
        total: int,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.label, self.unit, self.total, self.done = label, unit, total, done
        self._clock, self._begun, self._before = clock, clock(), done
        self._updated, self._stride = self._begun, 1

    def __enter__(self) -> Progress:
        self._updated = self._begun = self._clock()
        return self

    def __exit__(self, *error: object) -> None:
        return

    def update(self, done: int, note: str = "") -> None:
        """Sets the number of finished units, with figures to show beside it."""
        self._stride = max(1, done - self.done)
        self.done, self._updated = done, self._clock()

    def advance(self, note: str = "") -> None:
        """Counts one more finished unit."""
        self.update(self.done + 1, note)

    def beat(self, note: str) -> None:
        """Shows a sign of life between two updates, where it would otherwise be silent."""

    def count(self) -> str:
        """Finished and all units."""
        return f"{self.done:,}/{self.total:,} {self.unit}"

    def left(self) -> str:
        """Time left at the pace so far; dashes before the first unit is finished.

        It counts down until the next update is due, and waits if that is late.
        """
        finished, rest = self.done - self._before, self.total - self.done
        if finished <= 0:
            return "-:--:--"
        pace = (self._updated - self._begun) / finished
        spent = min(self._clock() - self._updated, pace * min(self._stride, rest))
        return duration(pace * rest - spent)

    def elapsed(self) -> str:
        """Time since the stage began, or was resumed."""
        return duration(self._clock() - self._begun)


class Lines(Progress):
    """Progress as lines of text, for files, pipes and simple terminals.

    The first line comes at the start, the second with the first unit. Later ones come when units
    are finished, at most every `LINE_SECONDS`; a unit that takes longer shows a line about every
    `BEAT_SECONDS`.

    Args:
        show: takes a line.
        label, unit, total, done, clock: as in `Progress`.
        at_once: show the first two lines; otherwise all of them wait for `BEAT_SECONDS`.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        label: str,
        unit: str,
        total: int,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
        at_once: bool = True,
    ):
        super().__init__(label, unit, total, done, clock)
        self._show, self._shown = show, self._begun
        self._at_once = self._first = at_once

    def __enter__(self) -> Lines:
        super().__enter__()
        self._shown = self._begun
        if self._at_once:
            self._show(f"{self.label}: {self.count()}")
        return self

    def update(self, done: int, note: str = "") -> None:
        """Sets the number of finished units, and shows it if no line came for some seconds."""
        super().update(done, note)
        every = LINE_SECONDS if self._at_once else BEAT_SECONDS
        if self._first or self._clock() - self._shown >= every:
            self._first = False
            self._line(note)

    def beat(self, note: str) -> None:
        """Shows a line if none came for `BEAT_SECONDS`."""
        if self._clock() - self._shown >= BEAT_SECONDS:
            self._line(note)

    def _line(self, note: str) -> None:
        self._shown = self._clock()
        times = f"{self.elapsed()} elapsed, {self.left()} left"
        self._show(f"{self.label}: {self.count()}, {times}" + (f"; {note}" if note else ""))


class Bar(Progress):
    """Progress as a bar on one line, which goes away in the end.

    Bar, count and time left stay visible; if the terminal is narrow, the note is shortened.

    Args:
        console: an interactive terminal.
        label, unit, total, done, clock: as in `Progress`.
    """

    def __init__(
        self,
        console: Console,
        label: str,
        unit: str,
        total: int,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(label, unit, total, done, clock)
        self._note = ""
        fixed = Column(no_wrap=True)
        self._bar = RichProgress(
            _Words(lambda: self.label, fixed),
            BarColumn(max(8, min(40, console.width // 5)), table_column=fixed.copy()),
            _Words(self.count, fixed.copy()),
            _Words(lambda: f"{self.left()} left", fixed.copy()),
            # The one column that gives way: rich shrinks the columns that may wrap.
            _Words(lambda: self._note, Column(ratio=1), shortened=True),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task(label, total=total, completed=done)

    def __enter__(self) -> Bar:
        super().__enter__()
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """Moves the bar."""
        super().update(done, note)
        self._note = note
        self._bar.update(self._task, completed=done)


class _Words(ProgressColumn):
    """A column that shows what a function says."""

    max_refresh = None

    def __init__(self, words: Callable[[], str], column: Column, shortened: bool = False):
        super().__init__(table_column=column)
        self._words, self._shortened = words, shortened

    def render(self, task: Task) -> Text:
        """The words, with an ellipsis where they are cut."""
        cut = "ellipsis" if self._shortened else "fold"
        return Text(self._words(), no_wrap=True, overflow=cut)  # type: ignore[arg-type]


def make_progress(
    console: Console, label: str, unit: str, total: int, done: int = 0, *, at_once: bool = True
) -> Progress:
    """A bar for an interactive terminal, else lines.

    Args:
        console: where it is shown.
        label: name of the stage.
        unit: what is counted, in the plural.
        total: units of the stage, at most.
        done: units that were done before.
        at_once: see `Lines`.
    """
    if console.is_interactive and not console.quiet:
        return Bar(console, label, unit, total, done)
    return Lines(lambda text: say(console, text), label, unit, total, done, at_once=at_once)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
