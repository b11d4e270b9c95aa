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
import time
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from ..data.text.readers import near_file
from ..errors import RunDirectoryError
from ..terminal import processes
from .checkpoints import Checkpoints
from .files import ASIDE, write_bytes, write_json, write_text
from .replacing import REPLACED

__all__ = ["RunDirectory", "write_bytes", "write_json", "write_text"]

CONFIG, LOG, RESULTS = "config.yaml", "metrics.jsonl", "results.json"
ENVIRONMENT, DATA = "environment.json", "data.json"
FORMAT = 2
"""Of `results.json`."""
ASKED = ".asked"
"""Suffix of the file beside a file of samples that says what each was asked for by."""
PRETRAINING = "pretraining.json"
"""State of MLE at its end, in the folder of a run that was fine-tuned from another one."""
MEMBERS = "members"
"""Folder of the ensemble's models."""
LAST = (CONFIG, ENVIRONMENT)
"""Files that make a folder that of a run: removed last and written last."""
EVENTS = "events.out.tfevents"
OURS = {
    CONFIG, LOG, RESULTS, ENVIRONMENT, "codec.json", "vocabulary.json", "tokenizer.json",
    "conditions.json", "source_vocabulary.json", DATA, PRETRAINING, "checkpoints", MEMBERS,
    "samples", "figures", "report.html", "report.md", "wandb", "explain",
}  # fmt: skip


def _is_ours(name: str) -> bool:
    """Tells if a run writes a file or folder of this name."""
    return name in OURS or name.startswith(EVENTS) or _is_aside(name)


def _is_aside(name: str) -> bool:
    """Tells if it was being written, or waited to be replaced, when its run was ended."""
    return name.startswith(ASIDE) or (name.startswith(".") and name[1:].rpartition(".")[0] in OURS)


def environment() -> dict[str, Any]:
    """Versions and machine, for `environment.json`."""
    names = ("torch", "numpy", "scipy", "nltk", "sacrebleu", "accelerate", "safetensors")
    import torch

    from ..config.version import __version__

    return {
        "seqgan-toolkit": __version__,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in names},
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": processes(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "command": sys.argv,
        "folder": os.getcwd(),
    }


class RunDirectory:
    """One run's folder.

    Args:
        path: the folder; it must hold a run already (see `create` and `open`).
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    @staticmethod
    def check_free(path: Path, overwrite: bool) -> None:
        """Raises RunDirectoryError if a new run cannot be put at `path`."""
        if path.exists() and not path.is_dir():
            raise RunDirectoryError(f"--output_dir: {path} is a file, not a folder")
        if not path.exists() or RunDirectory.unfinished(path):
            return
        if not RunDirectory.holds_run(path):
            raise RunDirectoryError(
                f"--output_dir: {path} is not empty and holds no run; choose another folder"
            )
        if overwrite:
            strange = sorted(entry.name for entry in path.iterdir() if not _is_ours(entry.name))
            if strange:
                raise RunDirectoryError(
                    f"--output_dir: {path} holds {strange[0]!r}, which is no part of a run and "
                    "would be lost; move it away, or choose another folder"
                )
        else:
            raise RunDirectoryError(
                f"--output_dir: {path} already holds a run; "
                "choose another folder, or replace it with --overwrite"
            )

    @staticmethod
    def holds_run(path: Path) -> bool:
        """Tells if `path` is the folder of a run."""
        return (path / CONFIG).is_file() and (path / ENVIRONMENT).is_file()

    @staticmethod
    def unfinished(path: Path) -> bool:
        """Tells if `path` is empty, or was left while it was being made into a run's folder."""
        names = {entry.name for entry in path.iterdir() if not _is_aside(entry.name)}
        if names != {ENVIRONMENT}:
            return not names
        text = (path / ENVIRONMENT).read_text(encoding="utf-8", errors="replace")
        return text.lstrip().startswith('{\n  "seqgan-toolkit":')

    @classmethod
    def create(cls, path: Path, config: dict[str, Any], overwrite: bool) -> RunDirectory:
        """A new folder with the settings and the environment in it."""
        cls.check_free(path, overwrite)
        try:
            path.mkdir(parents=True, exist_ok=True)
            # What makes it a run goes last and comes last, so that it is one or free at any moment.
            for entry in sorted(path.iterdir(), key=lambda e: (e.name in LAST, e.name)):
                if entry.name != REPLACED:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        except OSError as error:
            raise RunDirectoryError(f"--output_dir: {path}: {error.strerror}") from None
        run = cls(path)
        write_json(path / ENVIRONMENT, environment())
        write_text(path / CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        return run

    @classmethod
    def open(cls, run: RunDirectory | str | os.PathLike[str]) -> RunDirectory:
        """The folder of an existing run.

        Args:
            run: the folder, or what this method returned for it.

        Raises:
            RunDirectoryError: there is no run at that place.
        """
        if not isinstance(run, (RunDirectory, str, os.PathLike)):
            raise RunDirectoryError(f"{run!r:.80} is not the folder of a run")
        path = run.path if isinstance(run, RunDirectory) else Path(run)
        if not (path / CONFIG).is_file():
            raise RunDirectoryError(f"{path}: no run there (no {CONFIG}){_instead(path)}")
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
        """All lines of `metrics.jsonl`; of a run that goes on, without one that is half written."""
        if not (self.path / LOG).is_file():
            return []
        *lines, last = (self.path / LOG).read_text(encoding="utf-8").split("\n")
        if last and (self.path / RESULTS).is_file():
            lines.append(last)
        return [json.loads(line) for line in lines]

    def data_fingerprint(self) -> str:
        """The hash of the splits that the run was trained on.

        Raises:
            RunDirectoryError: it is not known.
        """
        path = self.path / DATA
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            raise RunDirectoryError(f"{path}: does not say what the run was trained on") from None

    def _environment(self, name: str) -> Any:
        """A part of `environment.json`; None: it is not known."""
        try:
            return json.loads((self.path / ENVIRONMENT).read_text(encoding="utf-8"))[name]
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
            return None

    def begun_in(self) -> Path | None:
        """The working folder of the command that made the run; None: it is not known."""
        folder = self._environment("folder")
        return Path(folder) if isinstance(folder, str) else None

    def version(self) -> str | None:
        """The version of the toolkit that made the run; None: it is not known."""
        version = self._environment("seqgan-toolkit")
        return version if isinstance(version, str) else None

    def command(self) -> str:
        """The command line that made the run, as far as it is known."""
        words = self._environment("command")
        if not isinstance(words, list):
            return "unknown"
        program = Path(str(words[0])).name if words else "unknown"
        program = "seqgan" if program == "__main__.py" else program  # python -m seqgan
        return shlex.join([program, *map(str, words[1:])])

    def results(self) -> dict[str, Any]:
        """Contents of `results.json`.

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
        found = content.get("format") if isinstance(content, dict) else None
        if found == 1:
            raise RunDirectoryError(
                f"{path}: results of version 0.1, which still reads them; this version reads "
                f"format {FORMAT}"
            )
        if found != FORMAT:
            raise RunDirectoryError(f"{path}: not the results of a run in format {FORMAT}")
        return content

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the run."""
        return Checkpoints(self.path / "checkpoints")

    def checkpoint(self, name: str = "latest") -> Path:
        """The checkpoint of that name: latest, mle (after pretraining), finetuned (the best).

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        return self.checkpoints.named(name)

    def has(self, name: str) -> bool:
        """Tells if there is a checkpoint of that name."""
        return (self.path / "checkpoints" / name).is_file()

    def final(self, model: str = "finetuned") -> str:
        """The checkpoint of a model: of the pretrained one if there is no fine-tuned one."""
        return "mle" if model == "finetuned" and not self.has(model) else model

    def log_position(self) -> dict[str, Any]:
        """Length of the logs, which are safe on the disk up to there.

        Returns:
            "lines" of `metrics.jsonl`, and "events": for each file of TensorBoard its size.
        """
        path = self.path / LOG
        lines = 0
        if path.is_file():
            with open(path, "rb") as file:
                lines = sum(1 for _ in file)
                os.fsync(file.fileno())
        events = {file.name: file.stat().st_size for file in self.path.glob(f"{EVENTS}*")}
        return {"lines": lines, "events": events}

    def rewind(self, lines: int, events: Mapping[str, int]) -> int:
        """Cuts the logs back to where they were at a checkpoint, and clears away unfinished files.

        Args:
            lines: of `metrics.jsonl` that are kept.
            events: for each file of TensorBoard the bytes that are kept; other files go.

        Returns:
            Lines that the checkpoint counts and the log does not hold.
        """
        path = self.path / LOG
        found = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        whole = [line for line in found if line.endswith(b"\n")]
        if len(found) > lines or len(found) > len(whole):
            write_bytes(path, b"".join(whole[:lines]))
        for file in self.path.glob(f"{EVENTS}*"):
            size = events.get(file.name, 0)
            if size == 0:
                file.unlink()
            elif file.stat().st_size > size:
                os.truncate(file, size)
        self._clear_away(self.path.iterdir())
        for name in ("checkpoints", "samples", "figures"):
            if (self.path / name).is_dir():
                self._clear_away((self.path / name).iterdir())
        return max(0, lines - len(whole))

    def _clear_away(self, entries: Iterable[Path]) -> None:
        """Removes what was being written when the run was ended."""
        for entry in list(entries):
            if entry.name.startswith(ASIDE):
                shutil.rmtree(entry)
            elif entry.is_file() and (entry.parent != self.path or _is_aside(entry.name)):
                if entry.name.startswith("."):
                    entry.unlink()


def _instead(path: Path) -> str:
    """The end of a message about a place without a run: what may have been meant."""
    for above in path.parents:
        if RunDirectory.holds_run(above):
            return f" (did you mean {str(above)!r}?)"
    if path.is_file():
        return f"; it is a file, not a folder; to train on it: seqgan run {shlex.quote(str(path))}"
    return "" if path.exists() else near_file(path)
