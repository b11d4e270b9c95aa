"""What the programs have in common at the terminal: lines, errors, exit codes.

Imports nothing heavy: help is shown before torch is loaded.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import RunInterrupted, SeqganError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["processes", "run_program", "say"]

WAIT = 5.0
"""Seconds that the main process has to tell of an end that all processes come to."""


def say(console: Console, text: str) -> None:
    """Shows text as it is, without markup, colours or line breaks of rich's own."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def run_program(name: str, work: Callable[[list[str]], int], argv: list[str] | None) -> int:
    """Runs a program; errors of the user end in one line and exit code 2.

    Args:
        name: of the program, which its messages begin with.
        work: takes the arguments and returns the exit code.
        argv: the arguments; None: those of the process. ``--debug`` among them lets errors
            through, so that one sees where they arose.
    """
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    try:
        return work([word for word in argv if word != "--debug"])
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RunInterrupted as stop:
        _tell(f"{name}: {stop}")
        return stop.exit_code
    except KeyboardInterrupt:
        _tell(f"{name}: interrupted")
        return 130
    except Exception as error:
        text = None if debug else _users_error(error)
        if text is None:
            raise
        _tell(f"{name}: error: {text}")
        return 2


def processes() -> int:
    """How many processes share the work, as a launcher (torchrun, accelerate) has said."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def _tell(line: str) -> None:
    """A line to standard error; of several processes the first that ends speaks for all."""
    if processes() == 1 or _is_first():
        print(line, file=sys.stderr, flush=True)


def _is_first() -> bool:
    """Whether no other process of the run has told of an end."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_initialized():
        with contextlib.suppress(Exception):  # whoever kept the store has ended
            store = torch.distributed.distributed_c10d._get_default_store()
            return store.add("seqgan/ended", 1) == 1
    if os.environ.get("RANK", "0") != "0":
        # They have not met yet, so the main one has most likely come to the same end. It says so,
        # and the launcher ends the others; were this one to end first, it would be ended before.
        time.sleep(WAIT)
    return True


def _users_error(error: Exception) -> str | None:
    """What the user can do something about, in one line; None for our own mistakes."""
    if isinstance(error, SeqganError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    if _out_of_memory(error):
        return (
            "out of memory; smaller batches, fewer sequences or samples, or a smaller "
            "--corpus.max_length need less (--debug shows where)"
        )
    return None


def _out_of_memory(error: Exception) -> bool:
    """Whether it is numpy's, torch's or Python's way of saying that memory is used up."""
    named = type(error).__name__ == "OutOfMemoryError"  # torch need not be imported to tell
    ours = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or named or ours
