"""The command line: ``seqgan run | pretrain | finetune | sample | evaluate | ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config.version import __version__
from ..errors import ConfigError
from ..terminal import HELP, VERSION, chosen_command, processes, run_program
from .table import COMMANDS

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Runs a command; a user's errors end in one line and exit code 2."""
    return run_program("seqgan", _dispatch, argv)


def _dispatch(argv: list[str]) -> int:
    default = "sample" if argv and Path(argv[0]).is_dir() else "run"
    command, rest = chosen_command("seqgan", argv, COMMANDS, default)
    if command == HELP:
        print(_usage())
        return 0 if argv else 2
    if command == VERSION:
        print(f"seqgan-toolkit {__version__}")
        return 0
    if not COMMANDS[command].shared and processes() > 1:
        raise ConfigError(f"seqgan {command} runs in one process; start it without a launcher")
    settings = _parse(command, rest)
    if settings is None:
        return 0
    return _execute(command, settings)


def _usage() -> str:
    lines = [f"  {name:<10} {each.summary}" for name, each in COMMANDS.items()]
    return "\n".join(
        [
            "usage: seqgan COMMAND [options]",
            "",
            "Adversarial and reinforcement-learning generation of discrete sequences.",
            "",
            "commands:",
            *lines,
            "",
            "seqgan COMMAND --help lists a command's options; --debug shows where an error arose;",
            "seqgan --version prints the version.",
            "Example: seqgan run captions.txt --size quick --output_dir runs/captions",
        ]
    )


def _parse(command: str, argv: list[str]) -> Any:
    """Settings of a command, or None if it only printed something."""
    from .parsing import parse

    return parse(command, argv)


def _execute(command: str, settings: Any) -> int:
    # Imported here: torch takes seconds to load, and help does not need it.
    from rich.console import Console

    from . import commands

    return getattr(commands, command)(settings, Console())
