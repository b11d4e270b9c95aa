"""Errors that a user can solve.

Every one of them is a `SeqganError`: the command line prints its message on one line and exits
with code 2. A message says what is wrong, where (file and line, flag) and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "MetricError",
    "MissingExtraError",
    "NonFiniteLossError",
    "ProcessError",
    "RewardError",
    "RunDirectoryError",
    "RunInterrupted",
    "SeqganError",
    "did_you_mean",
]


class SeqganError(ValueError):
    """Base of all errors that are the user's to solve."""


class ConfigError(SeqganError):
    """A setting or flag is unknown or has a value that makes no sense."""


class DataError(SeqganError):
    """A data source cannot be read or does not hold what is asked of it."""


class MetricError(SeqganError):
    """A metric is not defined for what it was given (too few sequences, not tokens, ...)."""


class RunDirectoryError(SeqganError):
    """An output folder is not free, or a run folder holds no run."""


class CheckpointError(SeqganError):
    """A checkpoint is damaged or belongs to another model or vocabulary."""


class MissingExtraError(SeqganError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str | None, purpose: str):
        # A package outside all extras is installed alone, without its dependencies.
        what = f"--no-deps {package}" if extra is None else f"'seqgan-toolkit[{extra}]'"
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: pip install {what}"
        )


class NonFiniteLossError(SeqganError):
    """A loss became NaN or infinite."""


class ProcessError(SeqganError):
    """Another process that shares a run has ended, or does not answer."""


class RewardError(SeqganError):
    """A reward raised an error, or returned what is no reward."""


class RunInterrupted(KeyboardInterrupt):
    """A signal ended a run, which can be resumed; the message says how.

    Attributes:
        exit_code: 128 plus the number of the signal, as in shells.
    """

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_code = 128 + signal_number


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the known name closest to `name`, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
