"""The command line of the harness: ``seqgan-bench``."""

from __future__ import annotations

import sys

from seqgan.errors import ConfigError, SeqganError, did_you_mean

__all__ = ["main"]

COMMANDS = {
    "discriminators": "tuned MLE on the oracle, then both discriminators' held-out gain",
    "speed": "rollouts, scoring and training steps against the plain way and the machine",
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command; errors of the user end in one line and exit code 2."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {name:<16} {text}" for name, text in COMMANDS.items()]
        print("\n".join(["usage: seqgan-bench COMMAND [options]", "", "commands:", *lines]))
        return 0 if argv else 2
    try:
        return _run(argv[0], argv[1:])
    except SeqganError as error:
        print(f"seqgan-bench: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _run(command: str, argv: list[str]) -> int:
    if command not in COMMANDS:
        raise ConfigError(f"unknown command {command!r}{did_you_mean(command, COMMANDS)}")
    if command == "speed":
        return _speed(argv)
    # Imported here: torch takes seconds to load, and help does not need it.
    from rich.console import Console

    from seqgan.parsing import parse_settings

    from .discriminators import DiscriminatorsConfig, measure

    settings = parse_settings("seqgan-bench discriminators", DiscriminatorsConfig, argv)
    if settings is not None:
        measure(settings, Console())
    return 0


def _speed(argv: list[str]) -> int:
    from rich.console import Console

    from seqgan.parsing import parse_settings

    from .speed.engine import SpeedConfig, measure

    settings = parse_settings("seqgan-bench speed", SpeedConfig, argv)
    if settings is not None:
        measure(settings, Console())
    return 0
