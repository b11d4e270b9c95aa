"""How a command that the user got wrong must end."""

from __future__ import annotations

from pathlib import Path

from seqgan.cli.main import main

from .advice import check_advice


def fails(capsys, arguments: list[str], *fragments: str) -> str:
    """Runs a command that must end in one line that holds `fragments`, and exit code 2.

    The command must take every flag that the line names.
    """
    capsys.readouterr()
    code = main(arguments)
    error = capsys.readouterr().err
    assert code == 2, (code, error)
    assert error.startswith("seqgan: error: ") and error.endswith("\n")
    assert error.count("\n") == 1 and "Traceback" not in error, error
    for fragment in fragments:
        assert fragment in error, error
    check_advice(arguments, error)
    return error


def listing(folder: Path) -> dict[str, int]:
    """Everything in a folder, with the time it was changed."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}
