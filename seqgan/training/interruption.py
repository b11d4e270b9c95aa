"""SIGINT and SIGTERM: the step is finished, the state is written, and the run ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Interruption"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Notes a signal while it is entered; a second one ends the process at once.

    Args:
        stop: called with the signal's number where nothing has to be finished first; it raises.
        announce: tell the user that the step is being finished.

    Attributes:
        number: of the signal that came, or None.
        patient: whether a step has to be finished first; whoever sets it looks at `number`.
    """

    def __init__(self, stop: Callable[[int], None], announce: bool = True):
        self.stop, self.announce = stop, announce
        self.number: int | None = None
        self.patient = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        # Python lets only its main thread set handlers; elsewhere signals do what they always do.
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._take_note) for each in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)
        self._before = {}

    def _take_note(self, number: int, frame: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.number = number
        if not self.patient:
            self.stop(number)
        if self.announce:
            name = signal.Signals(number).name
            _write(
                f"{name}: finishing this step and saving a checkpoint; a second one quits at once"
            )


def _write(line: str) -> None:
    """A line to standard error, past Python's files: one of them may be in the middle of a line."""
    with contextlib.suppress(OSError, ValueError):  # it is closed, or there is none
        os.write(sys.stderr.fileno(), f"{line}\n".encode())
