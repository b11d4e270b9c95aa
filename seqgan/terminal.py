"""Shared by the programs at the terminal: lines, commands, errors, exit codes.

Imports nothing heavy: help is shown before torch is loaded.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Collection, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ConfigError, RunInterrupted, SeqganError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["HELP", "VERSION", "chosen_command", "processes", "run_program", "say", "warn"]

HELP, VERSION = "--help", "--version"

SPINS = "500"
"""Turns that a thread of OpenMP waits for the others before it sleeps.

By default it turns some 300,000 times, and where another program has one of the cores, each of the
many small operations of a model waits until the system swaps programs: two threads on two cores,
one of them busy, trained 70 times slower than one thread, and with these 0.8 times as fast. Where
nothing else runs there is no difference (docs/speed.md).
"""

WAIT = 5.0
"""Seconds that the main process gets to report an end that all processes come to."""


def say(console: Console, text: str) -> None:
    """Shows text as it is, without markup, colours or line breaks of rich's own."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def warn(program: str, text: str) -> None:
    """Shows a line on standard error; of several processes only the main one does."""
    if os.environ.get("RANK", "0") == "0":
        print(f"{program}: warning: {text}", file=sys.stderr, flush=True)


def run_program(name: str, work: Callable[[list[str]], int], argv: list[str] | None) -> int:
    """Runs a program; errors of the user end in one line and exit code 2.

    Args:
        name: of the program, which its messages begin with.
        work: takes the arguments and returns the exit code.
        argv: the arguments; None: those of the process. With ``--debug`` among them errors pass
            through, and show where they arose.
    """
    share_cores(os.environ)
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


def share_cores(environment: MutableMapping[str, str]) -> None:
    """Makes the threads of torch get along with other programs; read when torch is loaded."""
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)


def chosen_command(
    program: str, argv: list[str], commands: Collection[str], default: str
) -> tuple[str, list[str]]:
    """The command that a command line names, and its arguments.

    Args:
        program: what messages call it.
        argv: the arguments.
        commands: names of the commands.
        default: the command that a file given in place of a command was most likely meant for.

    Returns:
        One of `commands`, `HELP` or `VERSION`, and the arguments that follow.

    Raises:
        ConfigError: there is no such command.
    """
    first, rest = (argv[0], argv[1:]) if argv else (HELP, [])
    if first in ("help", "-h", HELP):
        return (HELP, []) if not rest else (_known(program, rest[0], commands, default), [HELP])
    if first in ("version", "-V", VERSION):
        return VERSION, []
    if first.startswith("-") and (named := next((w for w in rest if w in commands), None)):
        raise ConfigError(f"flags follow the command: {program} {named} {first} ...")
    command = _known(program, first, commands, default)
    if rest == [VERSION]:
        return VERSION, []
    return command, [HELP] if rest == ["help"] else rest


def _known(program: str, word: str, commands: Collection[str], default: str) -> str:
    if word in commands:
        return word
    if Path(word).exists():
        near = f" (did you mean '{program} {default} {word}'?)"
    else:
        near = did_you_mean(word, [*commands, HELP, VERSION])
    raise ConfigError(f"unknown command {word!r}{near}; commands are {', '.join(commands)}")


def processes() -> int:
    """Number of processes that share the work, as a launcher (torchrun, accelerate) set it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def _tell(line: str) -> None:
    """A line to standard error; of several processes the first that ends speaks for all."""
    if processes() == 1 or _is_first():
        print(line, file=sys.stderr, flush=True)


def _is_first() -> bool:
    """Tells if no other process of the run has reported an end."""
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
    """The message of an error that the user can solve, on one line; None for our own mistakes."""
    if isinstance(error, SeqganError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    if _out_of_memory(error):
        return (
            "out of memory; use smaller batches, fewer sequences or samples, or a smaller "
            "--corpus.max_length (--debug shows where)"
        )
    return None


def _out_of_memory(error: Exception) -> bool:
    """Recognises the errors of numpy, torch and Python about memory."""
    named = type(error).__name__ == "OutOfMemoryError"  # torch need not be imported to tell
    ours = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or named or ours
