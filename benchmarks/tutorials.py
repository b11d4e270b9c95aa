"""A page of the docs followed to the letter on a fresh copy, with a clock.

    python -m benchmarks.tutorials docs/tutorials/first.md --output first.json

copies what git tracks to an empty folder and runs the page's blocks there, one after the other in
one shell, those of Python too; blocks that the page marks as not run are left out. ``--installed``
leaves out what installs (pip, a virtual environment) and uses this Python; ``--model FOLDER`` is a
pretrained model for a page that begins with one. The seconds of each block are written, so the time
at the top of a tutorial is measured.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqgan.runs.files import write_json

from .continued import facts

__all__ = ["Block", "blocks", "followed", "main", "script"]

ROOT = Path(__file__).parents[1]
FENCED = re.compile(
    r"^(?:<!-- (?P<mark>not run|needs): (?P<what>.*?) -->\n\s*)?"
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INSTALLS = re.compile(r"^(pip install|python3? -m venv|source )", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        language: bash, python, or another.
        code: as it stands.
        line: of the page, where the code begins, from 0.
        mark: "not run" or "needs", of the comment above it; None: there is none.
        what: the reason, or the package that is needed.
    """

    language: str
    code: str
    line: int
    mark: str | None = None
    what: str | None = None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["code"],
            text.count("\n", 0, found.start("code")),
            found["mark"],
            found["what"],
        )  # fmt: skip
        for found in FENCED.finditer(text)
    ]


def script(page: Path, installed: bool) -> str:
    """The page as one script of bash, which writes the moment after each block.

    Args:
        page: the page.
        installed: what installs is left out.
    """
    parts = ["set -e", 'moment() { printf \'%s %s\\n\' "$1" "$EPOCHREALTIME" >> moments; }']
    parts.append("moment begin")
    for block in blocks(page):
        if block.mark == "not run" or block.language not in ("bash", "python"):
            continue
        code = block.code
        if installed and INSTALLS.search(code):
            code = "".join(f"{x}\n" for x in code.splitlines() if not INSTALLS.match(x))
        if block.language == "python":
            code = f"python - <<'END_OF_BLOCK'\n{code}END_OF_BLOCK\n"
        parts += [code.rstrip("\n"), f"moment {block.line}"]
    return "\n".join(parts) + "\n"


def followed(
    page: Path, folder: Path, installed: bool = False, model: Path | None = None
) -> list[dict[str, Any]]:
    """Follows a page in a copy of the project.

    Args:
        page: within the project.
        folder: empty; it gets what git tracks.
        installed: what installs is left out, and this Python is used.
        model: what stands in the folder as ``model``.

    Returns:
        For each block its line on the page and its seconds.

    Raises:
        SystemExit: a command of the page fails.
    """
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in tracked.stdout.splitlines():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)
    if model is not None:
        (folder / "model").symlink_to(model.resolve())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if installed:
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        environment["PYTHONPATH"] = str(folder)
    done = subprocess.run(["bash", "-c", script(page, installed)], cwd=folder, env=environment)
    lines = [line.split() for line in (folder / "moments").read_text().splitlines()]
    if done.returncode:
        after = lines[-1][0]
        raise SystemExit(f"{page}: a command after line {after} ended with {done.returncode}")
    times = [float(moment.replace(",", ".")) for _, moment in lines]
    return [
        {"line": int(line) + 1, "seconds": round(now - before, 1)}
        for (line, _), before, now in zip(lines[1:], times, times[1:], strict=False)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--installed", action="store_true")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        found = followed(options.page, Path(name), options.installed, options.model)
    total = round(sum(each["seconds"] for each in found), 1)
    content = {"page": str(options.page), "seconds": total, "blocks": found}
    write_json(options.output, {**facts(), **content})
    print(f"{options.page}: {total / 60:.1f} minutes")


if __name__ == "__main__":
    main()
