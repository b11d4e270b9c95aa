"""The command line of the harness: ``seqgan-bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from seqgan.config.dotted import import_dotted
from seqgan.config.version import __version__
from seqgan.terminal import HELP, VERSION, chosen_command, run_program

__all__ = ["COMMANDS", "main"]


class Command(NamedTuple):
    """A command.

    Attributes:
        text: what it does.
        settings: dotted path of the dataclass of its settings.
        function: dotted path of what is called with the settings and a console.
        example: of its use.
        positional: the setting that is given without a flag.
    """

    text: str
    settings: str
    function: str
    example: str
    positional: str | None = None


COMMANDS = {
    "list": Command(
        "the suites, and the files they need",
        "benchmarks.settings:ListSettings",
        "benchmarks.commands:list_suites",
        "seqgan-bench list --data_dir data",
    ),
    "run": Command(
        "run suites: MLE, methods, controls, ceilings; skips what is finished",
        "benchmarks.settings:RunSettings",
        "benchmarks.commands:run",
        "seqgan-bench run oracle20 grammar --size smoke --seeds 0,1,2 --jobs 2",
        "suites",
    ),
    "table": Command(
        "make the tables of results",
        "benchmarks.settings:TableSettings",
        "benchmarks.commands:table",
        "seqgan-bench table runs/benchmarks",
        "results",
    ),
    "methods": Command(
        "put the verdicts of results into `seqgan methods` and the pages of the methods",
        "benchmarks.method_rows:MethodsSettings",
        "benchmarks.method_rows:write_rows",
        "seqgan-bench methods benchmarks/results/standard",
        "results",
    ),
    "plot": Command(
        "plot results",
        "benchmarks.settings:PlotSettings",
        "benchmarks.commands:plot",
        "seqgan-bench plot runs/benchmarks",
        "results",
    ),
    "compare": Command(
        "methods against their controls, or two folders of results",
        "benchmarks.settings:CompareSettings",
        "benchmarks.commands:compare",
        "seqgan-bench compare runs/benchmarks",
        "results",
    ),
    "discriminators": Command(
        "tuned MLE on the oracle, then both discriminators' held-out gain",
        "benchmarks.discriminators:DiscriminatorsConfig",
        "benchmarks.discriminators:measure",
        "seqgan-bench discriminators --output discriminators.json",
    ),
    "speed": Command(
        "rollouts, scoring and training steps against the plain way and the machine",
        "benchmarks.speed.engine:SpeedConfig",
        "benchmarks.speed.engine:measure",
        "seqgan-bench speed --output speed-cpu",
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command; a user's errors end in one line and exit code 2."""
    return run_program("seqgan-bench", _dispatch, argv)


def _dispatch(argv: list[str]) -> int:
    default = "table" if argv and Path(argv[0]).is_dir() else "run"
    command, rest = chosen_command("seqgan-bench", argv, COMMANDS, default)
    if command == HELP:
        print(_usage())
        return 0 if argv else 2
    if command == VERSION:
        print(f"seqgan-toolkit {__version__}")
        return 0
    return _run(command, rest)


def _usage() -> str:
    lines = [f"  {name:<16} {command.text}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: seqgan-bench COMMAND [options]",
            "",
            "Benchmarks with controls, seeds and verdicts.",
            "",
            "commands:",
            *lines,
            "",
            "seqgan-bench COMMAND --help lists a command's options; --debug shows where an error "
            "arose.",
            f"Example: {COMMANDS['run'].example}",
        ]
    )


def _run(name: str, argv: list[str]) -> int:
    from seqgan.cli.parsing import parse_settings

    command = COMMANDS[name]
    kind = import_dotted(command.settings, "command")
    program = f"seqgan-bench {name}"
    settings: Any = parse_settings(program, kind, argv, command.example, command.positional)
    if settings is None:
        return 0
    # Imported here: torch takes seconds to load, and help does not need it.
    from rich.console import Console

    import_dotted(command.function, "command")(settings, Console())
    return 0
