"""The command line: ``seqgan run | pretrain | finetune | sample | evaluate | ...``."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError, did_you_mean
from ..terminal import processes, run_program

__all__ = ["main"]

COMMANDS = {
    "run": "pretrain by MLE, fine-tune adversarially, compare both",
    "pretrain": "pretrain a generator by MLE",
    "finetune": "fine-tune the generator of a pretrained run, and compare",
    "sample": "sample from the generator of a run",
    "evaluate": "measure the generators of a run, or any file of samples",
    "compare": "show several runs side by side",
    "report": "write the report of a run again",
    "data": "show what a data source holds, before training on it",
}
SHARED = ("run", "pretrain", "finetune")
"""Commands that several processes can share."""


def main(argv: list[str] | None = None) -> int:
    """Runs a command; errors of the user end in one line and exit code 2."""
    return run_program("seqgan", _dispatch, argv)


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        from .._version import __version__

        print(f"seqgan-toolkit {__version__}")
        return 0
    command, rest = argv[0], argv[1:]
    if command not in COMMANDS:
        near = did_you_mean(command, [*COMMANDS, "--help", "--version"])
        raise ConfigError(f"unknown command {command!r}{near}; commands are {', '.join(COMMANDS)}")
    if command not in SHARED and processes() > 1:
        raise ConfigError(
            f"seqgan {command} is the work of one process; start it without a launcher"
        )
    settings = _parse(command, rest)
    if settings is None:
        return 0
    return _execute(command, settings)


def _usage() -> str:
    lines = [f"  {name:<10} {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: seqgan COMMAND [options]",
            "",
            "Adversarial and reinforcement-learning generation of discrete sequences.",
            "",
            "commands:",
            *lines,
            "",
            "seqgan COMMAND --help lists a command's options; --debug shows where an error arose.",
            "Example: seqgan run --data captions.txt --preset quick --output_dir runs/captions",
        ]
    )


def _parse(command: str, argv: list[str]) -> Any:
    """The settings of a command, or None where it only printed something."""
    from .parsing import parse

    return parse(command, argv)


def _execute(command: str, settings: Any) -> int:
    # Imported here: torch takes seconds to load, and help does not need it.
    from rich.console import Console

    from . import commands

    return getattr(commands, command)(settings, Console())
