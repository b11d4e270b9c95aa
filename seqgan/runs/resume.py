"""Resuming of a run: its checkpoint, and the checks that it may go on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..config import RunConfig
from ..config.imports import dotted_names
from ..config.reading import run_config
from ..config.settings import flat
from ..errors import CheckpointError, ConfigError, RunDirectoryError
from .places import FILES, names_a_file, not_its_data
from .run_directory import ENVIRONMENT, RunDirectory, environment
from .saver import PHASES, Saved, read_checkpoint

__all__ = [
    "Say",
    "check_same_settings",
    "folder_of",
    "resume_command",
    "resumes",
    "rewind",
    "run_folder",
    "starting_point",
]

Say = Callable[[str], None]

FREE = ("output_dir", "overwrite", "resume", "checkpoint", "trackers", "run", "trust")
"""Settings that no result depends on, or that are checked by content: they may change when a run
is resumed."""


def run_folder(resume: bool | str) -> Path | None:
    """The folder of the run that ``--resume PATH`` names; None for auto, true and false.

    Args:
        resume: a run's folder, or one of its checkpoints.

    Raises:
        RunDirectoryError: no run there.
    """
    if isinstance(resume, bool) or resume.lower() in ("auto", "true", "false"):
        return None
    path = Path(resume)
    if path.absolute().parent.name == "checkpoints" and path.is_dir():
        path = path.absolute().parent.parent
    if not RunDirectory.holds_run(path):
        raise RunDirectoryError(f"--resume: {resume}: neither a run nor one of its checkpoints")
    return path


def resume_command(
    run: RunDirectory, command: str | None = None, launcher: Sequence[str] = ("seqgan",)
) -> str:
    """The command line that resumes a run, or begins it again if it has no checkpoint yet.

    Args:
        run: the run.
        command: run, pretrain or finetune; None: the one that made it.
        launcher: words that start the toolkit.

    Raises:
        RunDirectoryError: its settings cannot be read.
    """
    config, folder = run.config(), str(run.path)
    if command is None:
        made_by = shlex.split(run.command())[1:2]
        command = "pretrain" if made_by == ["pretrain"] else "run"
        command = "finetune" if config.get("run") else command
    if run.checkpoints.all():
        words = ["--resume", folder]
        if dotted_names(config):
            words.append("--trust")
    else:
        words = ["--config", f"{folder}/config.yaml", "--output_dir", folder, "--resume", "auto"]
    return shlex.join([*launcher, command, *words])


def folder_of(config: RunConfig) -> Path | None:
    """The output folder, which ``--resume PATH`` names too; None where nothing does.

    Raises:
        ConfigError: they are not the same.
    """
    resumed, given = run_folder(config.resume), config.output_dir
    if resumed is None or given is None:
        return Path(given) if given is not None else resumed
    if resumed.resolve() != Path(given).resolve():
        raise ConfigError(
            f"--resume: {config.resume} is not in --output_dir {given}; leave --output_dir out"
        )
    return resumed


def resumes(config: RunConfig, path: Path) -> bool:
    """Tells if there is a run at `path` to resume, and that is wanted.

    Raises:
        RunDirectoryError: it is wanted (``--resume true``), and there is none.
    """
    if not config.resume:
        return False
    if RunDirectory.holds_run(path):
        return True
    if config.resume != "auto":
        raise RunDirectoryError(f"--resume: {path}: no run there; --resume auto would begin one")
    return False


def check_same_settings(run: RunDirectory, settings: dict[str, Any]) -> None:
    """Refuses to continue with other settings than the run was begun with.

    Files may have moved: their fingerprint is checked instead (see `starting_point`).

    Raises:
        ConfigError: names the first setting that differs.
    """
    where, stored = str(run.path / "config.yaml"), run.config()
    if "run" in stored and "run" not in settings:
        raise ConfigError(
            f"--resume: {run.path} is fine-tuned: seqgan finetune --resume {run.path}"
        )
    before, now = flat(asdict(run_config(stored, where))), flat(settings)
    for key, value in now.items():
        if key.split(".")[0] in FREE or key not in before or before[key] == value:
            continue
        if key in FILES and names_a_file(key, before[key]) and names_a_file(key, value):
            continue
        raise ConfigError(
            f"--{key}: {value!r} is not what the run in {run.path} was started with "
            f"({before[key]!r}); {resume_command(run)} resumes it with its own settings; or choose "
            "another --output_dir"
        )


def starting_point(
    command: str, config: RunConfig, path: Path, data: str, say: Say
) -> Saved | None:
    """The checkpoint that the run goes on from; None: it has none yet, and begins again.

    Args:
        command: run, pretrain or finetune.
        config: all settings.
        path: the run's folder.
        data: the fingerprint of the data now.
        say: is told what was found.

    Raises:
        CheckpointError: there is none and there must be one, or the one that is named is damaged.
        ConfigError: the data have changed.
    """
    run = RunDirectory.open(path)
    named = Path(str(config.resume))
    if run_folder(config.resume) is not None and named.resolve() != path.resolve():
        place: Path | None = run.checkpoints.checked(named.name)
    else:
        place = run.checkpoints.newest(say)
    if place is None:
        if config.resume == "auto":
            return None
        raise CheckpointError(
            f"--resume: {path}: the run has no checkpoint; --resume auto starts it again"
        )
    if run.data_fingerprint() != data:
        raise ConfigError(
            f"{not_its_data(config, run)}; name the place of its data with --data PATH, or choose "
            "another --output_dir"
        )
    saved = read_checkpoint(place)
    if command == "pretrain" and saved.phase not in PHASES[:2]:
        raise ConfigError(
            f"--resume: {path} has passed pretraining; resume it with: seqgan run --resume {path}"
        )
    return saved


def rewind(run: RunDirectory, saved: Saved, say: Say) -> None:
    """Puts the run's folder back to where it was at a checkpoint."""
    try:
        log = saved.parts["runtime"]["log"]
        lines, events = int(log["lines"]), dict(log["events"])
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"{saved.place}: does not say how far the logs had come") from None
    run.checkpoints.go_back_to(saved.place)
    lost = run.rewind(lines, events)
    if lost:
        say(f"warning: metrics.jsonl has lost {lost} lines that were there at the checkpoint")
    for difference in other_environment(run):
        say(f"warning: {difference}: the last digits may come out differently")
    say(f"Going on from {saved.place}")


def other_environment(run: RunDirectory) -> list[str]:
    """Differences from the machine and the packages that the run was begun with."""
    path, now = run.path / ENVIRONMENT, environment()
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
        packages = dict(before.get("packages") or {})
    except (OSError, ValueError, TypeError):
        return [f"{path} cannot be read, so machine and packages may be others than before"]
    names = ("processor", "threads", "cuda", "processes")
    found = [(name, before.get(name, "unknown"), now[name]) for name in names]
    found += [(name, packages.get(name, "unknown"), new) for name, new in now["packages"].items()]
    return [f"{name} was {old} and is {new}" for name, old, new in found if old != new]
