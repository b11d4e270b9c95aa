"""The folder of one run: settings, log, checkpoints, samples, results.

Every file appears whole or not at all: it is written beside its place and renamed.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from ..errors import CheckpointError, RunDirectoryError

__all__ = ["RunDirectory", "write_bytes", "write_json", "write_text"]

CONFIG, LOG, RESULTS = "config.yaml", "metrics.jsonl", "results.json"
ENVIRONMENT = "environment.json"
OURS = {
    CONFIG, LOG, RESULTS, ENVIRONMENT, "vocabulary.json", "data.json", "checkpoints", "samples",
    "figures", "report.html", "report.md", "wandb",
}  # fmt: skip


def _is_ours(name: str) -> bool:
    """Whether a run writes a file or folder of this name."""
    return name in OURS or name.startswith("events.out.tfevents")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file in one step: readers see the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes JSON in one step; NaN and infinity are refused, since they are not JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def environment() -> dict[str, Any]:
    """Versions and machine, for `environment.json`."""
    names = ("torch", "numpy", "scipy", "nltk", "sacrebleu", "accelerate", "safetensors")
    import torch

    from .._version import __version__

    return {
        "seqgan-toolkit": __version__,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in names},
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "command": sys.argv,
    }


class RunDirectory:
    """One run's folder.

    Args:
        path: the folder; it must hold a run already (see `create`).
    """

    def __init__(self, path: Path):
        self.path = path

    @staticmethod
    def check_free(path: Path, overwrite: bool) -> None:
        """Raises RunDirectoryError where a new run cannot be put at `path`."""
        if path.exists() and not path.is_dir():
            raise RunDirectoryError(f"--output_dir: {path} is a file; give a folder")
        if not path.exists() or not any(path.iterdir()):
            return
        if not ((path / CONFIG).is_file() and (path / ENVIRONMENT).is_file()):
            raise RunDirectoryError(
                f"--output_dir: {path} is not empty and holds no run; give another folder"
            )
        if overwrite:
            strange = sorted(entry.name for entry in path.iterdir() if not _is_ours(entry.name))
            if strange:
                raise RunDirectoryError(
                    f"--output_dir: {path} holds {strange[0]!r}, which is no part of a run and "
                    "would be lost; move it away, or give another folder"
                )
        else:
            raise RunDirectoryError(
                f"--output_dir: {path} already holds a run; "
                "give another folder, or --overwrite true to replace it"
            )

    @classmethod
    def create(cls, path: Path, config: dict[str, Any], overwrite: bool) -> RunDirectory:
        """A new folder with the settings and the environment in it."""
        cls.check_free(path, overwrite)
        try:
            if path.exists():
                shutil.rmtree(path)
            path.mkdir(parents=True)
        except OSError as error:
            raise RunDirectoryError(f"--output_dir: {path}: {error.strerror}") from None
        run = cls(path)
        write_text(path / CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        write_json(path / ENVIRONMENT, environment())
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """The folder of an existing run.

        Raises:
            RunDirectoryError: there is no run at `path`.
        """
        if not (path / CONFIG).is_file():
            raise RunDirectoryError(f"{path}: no run there (no {CONFIG})")
        return cls(path)

    def config(self) -> dict[str, Any]:
        """The settings of the run as plain data."""
        try:
            content = yaml.safe_load((self.path / CONFIG).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RunDirectoryError(f"{self.path / CONFIG}: cannot be read ({error})") from None
        if not isinstance(content, dict):
            raise RunDirectoryError(f"{self.path / CONFIG}: not a mapping of settings")
        return content

    def log(self, stage: str, step: int, values: dict[str, Any]) -> None:
        """Appends a line to `metrics.jsonl`."""
        line = {"stage": stage, "step": step, "time": round(time.time(), 3), **values}
        with open(self.path / LOG, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """All lines of `metrics.jsonl`."""
        if not (self.path / LOG).is_file():
            return []
        lines = (self.path / LOG).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def data_fingerprint(self) -> str:
        """The hash of the splits that the run was trained on.

        Raises:
            RunDirectoryError: it is not known.
        """
        path = self.path / "data.json"
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            raise RunDirectoryError(f"{path}: does not say what the run was trained on") from None

    def command(self) -> str:
        """The command line that made the run, as far as it is known."""
        path = self.path / ENVIRONMENT
        try:
            words = json.loads(path.read_text(encoding="utf-8"))["command"]
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
            return "unknown"
        program = Path(str(words[0])).name if words else "unknown"
        return shlex.join([program, *map(str, words[1:])])

    def results(self) -> dict[str, Any]:
        """What `results.json` holds.

        Raises:
            RunDirectoryError: the run is not finished, or the file is damaged.
        """
        path = self.path / RESULTS
        if not path.is_file():
            raise RunDirectoryError(f"{self.path}: the run is not finished (no {RESULTS})")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise RunDirectoryError(f"{path}: cannot be read ({error})") from None
        if not isinstance(content, dict) or content.get("format") != 1:
            raise RunDirectoryError(f"{path}: not the results of a run in format 1")
        return content

    def save_checkpoint(
        self, step: int, write: Callable[[Path], None], names: tuple[str, ...] = ()
    ) -> Path:
        """A checkpoint that appears in one step. Older ones that have no name are removed.

        Args:
            step: its number.
            write: writes the checkpoint's files into the folder it is given.
            names: what it is from now on besides "latest", e.g. ("mle",).
        """
        folder = self.path / "checkpoints"
        folder.mkdir(exist_ok=True)
        place = folder / f"step-{step:08d}"
        aside = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
        try:
            write(aside)
            if place.exists():
                shutil.rmtree(place)
            os.chmod(aside, 0o755)
            os.replace(aside, place)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        for name in ("latest", *names):
            write_text(folder / name, place.name + "\n")
        named = {file.read_text().strip() for file in folder.iterdir() if file.is_file()}
        for old in folder.glob("step-*"):
            if old.name not in named:
                shutil.rmtree(old)
        return place

    def checkpoint(self, name: str = "latest") -> Path:
        """The checkpoint of that name: latest, mle (after pretraining), best (adversarial).

        Raises:
            CheckpointError: there is none.
        """
        pointer = self.path / "checkpoints" / name
        if not pointer.is_file():
            raise CheckpointError(f"{self.path}: the run has no checkpoint {name!r} yet")
        place = pointer.parent / pointer.read_text(encoding="utf-8").strip()
        if place.parent != pointer.parent or not place.is_dir():
            raise CheckpointError(f"{pointer}: names {place.name!r}, which is no checkpoint")
        return place
