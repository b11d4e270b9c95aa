"""Result files: one JSON an arm, written in one step, never written twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgan.errors import ConfigError, RunDirectoryError
from seqgan.runs.run_directory import environment, write_text

from .settings import SIZES

__all__ = [
    "CellPlace",
    "Result",
    "grouped",
    "machine",
    "read_arm",
    "read_results",
    "shareable",
    "write_arm",
]

FORMAT = 1
Result = dict[str, Any]


@dataclass(frozen=True)
class CellPlace:
    """Folder of a cell's files: ``DIR/SUITE/SIZE/seed-SEED``.

    Attributes:
        root: the output folder.
        suite: name.
        size: name.
        seed: of everything in the cell.
    """

    root: Path
    suite: str
    size: str
    seed: int

    @property
    def folder(self) -> Path:
        """The cell's folder."""
        return self.root / self.suite / self.size / f"seed-{self.seed}"

    @property
    def model(self) -> Path:
        """The folder of the shared MLE model."""
        return self.folder / "model"

    def arm(self, name: str) -> Path:
        """The result file of an arm."""
        return self.folder / f"{name}.json"

    def __str__(self) -> str:
        return f"{self.suite} {self.size} seed {self.seed}"


def write_arm(path: Path, result: Result) -> None:
    """Writes a result, a line a key, so that numbers do not take a line each."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in result.items()
    ]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_arm(path: Path) -> Result:
    """A result file.

    Raises:
        RunDirectoryError: it is damaged, or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{path}: cannot be read ({error}); remove it") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or "arm" not in content:
        raise RunDirectoryError(f"{path}: not a result in format {FORMAT}")
    return content


def read_results(root: Path) -> list[Result]:
    """All results below a folder: by suite, size and seed, arms in the order of their work.

    Raises:
        ConfigError: there are none.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    found = [read_arm(path) for path in _files(root)]
    if not found:
        raise ConfigError(
            f"{root}: no results below it (DIR/SUITE/SIZE/seed-N/ARM.json); make some with: "
            f"seqgan-bench run SUITE --output_dir {root}"
        )
    return sorted(
        found, key=lambda x: (x["suite"], SIZES.index(x["size"]), x["seed"], x["place"], x["arm"])
    )


def _files(root: Path) -> Iterator[Path]:
    for size in SIZES:
        yield from sorted(root.glob(f"*/{size}/seed-*/*.json"))


def grouped(results: Iterable[Result], *keys: str) -> dict[tuple[Any, ...], list[Result]]:
    """Results that agree in `keys` together, in the order in which they come."""
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(result[key] for key in keys), []).append(result)
    return groups


def machine(command: list[str] | None = None) -> dict[str, Any]:
    """Versions, machine and the state of the code, without the folders of the machine."""
    words = shareable(sys.argv if command is None else command)
    facts = {key: value for key, value in environment().items() if key != "folder"}
    return {**facts, "command": " ".join(words), "git": git_state()}


def shareable(words: list[str]) -> list[str]:
    """A command line without the folders of the machine it ran on."""
    module = Path(words[0])
    # A module of the harness that was started by itself has its file as its name.
    own = module.suffix == ".py" and module.stem not in ("__main__", "cli")
    begin = ["python", "-m", f"benchmarks.{module.stem}"] if own else ["seqgan-bench"]
    return begin + [_shareable(word) for word in words[1:]]


def _shareable(word: str) -> str:
    flag, is_one, value = word.partition("=")
    if word.startswith("--") and is_one:
        return f"{flag}={_shareable(value)}"
    return Path(word).name if "/" in word else word


def git_state() -> dict[str, Any] | None:
    """Commit of the code that runs, and whether files differ from it; None outside git."""
    place = Path(__file__).parent

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(place), *words], capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # An installed copy within somebody else's repository says nothing of our code.
    if ask("ls-files", "--error-unmatch", str(Path(__file__))) is None:
        return None
    changed = ask("status", "--porcelain", "--", "benchmarks/*.py", "seqgan", "rollout")
    return {"commit": ask("rev-parse", "HEAD"), "changed": bool(changed)}
