"""Signals in the middle of a run, for tests."""

from __future__ import annotations

import signal

import pytest

from seqgan.training.runtime import Runtime


def send(patch: pytest.MonkeyPatch, number: int, step: int) -> list[int]:
    """A signal after that many gradient steps of the process (0: none).

    Returns:
        The steps until now, as the one entry of a list.
    """
    seen, original = [0], Runtime.pause

    def pause(self: Runtime) -> None:
        seen[0] += 1
        if seen[0] == step:
            signal.raise_signal(number)
        original(self)

    patch.setattr(Runtime, "pause", pause)
    return seen
