"""The start of a run: settings, data and folder are checked before anything is written."""

from __future__ import annotations

import datetime
import itertools
import os
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ..config import FinetuneConfig, RunConfig
from ..config.components import Component, build, named
from ..data.bounded import bounded
from ..data.codec import save_codec
from ..data.dataset import Dataset, fingerprint
from ..data.sources import check_splits
from ..errors import ConfigError, RunDirectoryError
from ..models import Generator, load_generator, make_discriminator, make_generator
from ..models.build import shapes_alone
from ..runs.places import data_of, not_its_data, with_files_found
from ..runs.replacing import put_back, replacing
from ..runs.resume import Say, check_same_settings, folder_of, resumes, rewind, starting_point
from ..runs.run_directory import DATA, LAST, RunDirectory, write_json
from ..runs.saver import Saved, Saver, read_checkpoint
from ..terminal import say
from .accelerators import set_matmul_precision
from .callbacks import Callbacks
from .members import check_runs
from .other_models import check_models
from .processes import Processes
from .runtime import Runtime, make_accelerator
from .transfer import check_fits, check_tokenizer

__all__ = ["begin", "check_config", "default_folder", "files_found", "on_data_of", "source_run"]


def source_run(
    config: RunConfig, pretrained: RunDirectory | str | os.PathLike[str]
) -> RunDirectory:
    """The run that the generator comes from; a resumed run has kept that generator itself.

    Raises:
        ConfigError: the resumed run was fine-tuned from another one.
    """
    path = folder_of(config)
    if path is None or not resumes(config, path) or not RunDirectory(path).has("mle"):
        return RunDirectory.open(pretrained)
    own = RunDirectory.open(path)
    try:
        other = RunDirectory.open(pretrained)
    except RunDirectoryError:  # it was moved away, and is not needed
        return own
    begun, given = (
        load_generator(run.checkpoint("mle") / "generator").state_dict() for run in (own, other)
    )
    if begun.keys() != given.keys() or any(not torch.equal(begun[k], given[k]) for k in begun):
        raise ConfigError(f"--run: {path} was fine-tuned from another run than {other.path}")
    return own


def files_found(config: RunConfig) -> RunConfig:
    """The settings; if a run is resumed, with the places where its files are now."""
    check_config(config)
    path = folder_of(config)
    if path is None or not resumes(config, path):
        return config
    return with_files_found(config, RunDirectory.open(path))


def on_data_of(config: RunConfig, trained: RunConfig, pretrained: RunDirectory) -> RunConfig:
    """The settings with the split seed of the pretrained run, and the places of its files."""
    split_seed = trained.corpus.data_seed(trained.seed)
    if config.corpus.split_seed is None and config.seed != split_seed:
        config = replace(config, corpus=replace(config.corpus, split_seed=split_seed))
    return with_files_found(config, pretrained)


def default_folder(data: str) -> Path:
    """A new folder: ``runs/`` and a name made of the data and the time."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = first = Path("runs") / f"{Path(data).stem or 'run'}-{now}"
    for number in itertools.count(2):
        if not path.exists():
            break
        path = first.with_name(f"{first.name}-{number}")
    return path


def begin(
    command: str,
    config: RunConfig,
    console: Console | None,
    pretrained: RunDirectory | None = None,
    callbacks: Callbacks | None = None,
    first: Generator | None = None,
) -> tuple[Runtime, Dataset]:
    """Reads the data and makes the run's folder; nothing is written before all of it is right.

    Args:
        command: what goes on with the run: run, pretrain or finetune.
        config: all settings.
        console: where progress is shown, by the main process.
        pretrained: the run that is fine-tuned, whose data are taken.
        callbacks: functions that are told how the rounds go.
        first: the generator that training begins with, if it is another run's of other data.
    """
    # Fails before anything is written.
    config.generator.check_corpus(config.corpus)
    accelerator = make_accelerator(config.device, config.precision, trackers=config.trackers)
    processes = Processes(accelerator)
    if console is None or not processes.is_main:
        console = Console(quiet=True)
    name, going_on = processes.agree(lambda: _place(config))
    path = Path(name)
    if first is not None and not going_on:
        check_tokenizer(config)
    data, whole = _read(config, pretrained or (RunDirectory(path) if going_on else None))
    moved = isinstance(config, FinetuneConfig) and config.transfer and not going_on
    if pretrained is not None and not moved and whole != pretrained.data_fingerprint():
        raise ConfigError(
            f"{not_its_data(config, pretrained)}; name the place of its data with --data PATH, and "
            "leave the --corpus settings as they were; to go on training on other data, add "
            "--transfer"
        )
    if processes.agree(lambda: whole) != whole:
        raise ConfigError(
            f"--data: process {processes.index} finds other sequences in {config.data} than the "
            "main process; give all of them the same files"
        )
    _check_conditions(config, data)
    if any(term.needs_discriminator for term in config.every_term()):
        config.generator.check_judge(config.discriminator)
    _check_networks(config, data, going_on)
    if not going_on:
        check_runs(config, whole)
        if first is not None:
            check_fits(first, config, data)
    if command != "pretrain":
        check_models(config, data)
    saved = None
    if going_on:
        saved = _saved(command, config, path, whole, processes, partial(say, console))
    processes.wait()
    directory, is_main = RunDirectory(path), processes.is_main
    # An old run is not lost before it is known that the new one can begin.
    with replacing(path, LAST) if is_main and saved is None else nullcontext():
        if is_main and saved is not None:
            rewind(directory, saved, partial(say, console))
        elif is_main:
            RunDirectory.create(path, _stored(config), config.overwrite or going_on)
            _describe(directory, data, whole)
        if is_main:
            accelerator = make_accelerator(config.device, config.precision, path, config.trackers)
        saver = Saver(directory.checkpoints, config.checkpoint, saved)
        set_matmul_precision(accelerator.device, config.matmul_precision)
        runtime = Runtime(accelerator, config.seed, directory, console, saver, command)
        runtime.graphs = config.graphs and data.constraint is None  # it is asked on the host
        runtime.sampling_precision = config.sampling_precision
        runtime.callbacks = callbacks or runtime.callbacks
        runtime.begin_tracking()
    data = bounded(data, config.evaluation)
    for line in data.report_lines:
        runtime.say(line)
    return runtime, data


def check_config(config: object) -> None:
    """Requires settings, as Python callers may pass anything."""
    if not isinstance(config, RunConfig):
        raise ConfigError(
            f"settings must be a RunConfig, got {type(config).__name__}; "
            "RunConfig(data=..., corpus={...}) makes one"
        )


def _check_conditions(config: RunConfig, data: Dataset) -> None:
    """Requires models that read the conditions of the data, if they have any."""
    condition = data.train.condition
    if condition is None:
        return
    groups = ["generator"]
    if any(term.needs_discriminator for term in config.every_term()):
        groups.append("discriminator")
    parts = [*condition] if isinstance(condition, dict) else ["condition"]
    for group, part in itertools.product(groups, parts):
        settings: Component = getattr(config, group)
        part = part.removesuffix("_length")
        able = [name for name, each in settings.table().items() if part in named(each.builds).reads]
        chosen = getattr(settings, settings.selector)
        if chosen not in able:
            raise ConfigError(
                f"--{group}.{settings.selector}: {chosen} reads no {part}, and the sequences of "
                f"{config.data} have one; choose {' or '.join(able) or 'other data'}"
            )


def _check_networks(config: RunConfig, data: Dataset, going_on: bool) -> None:
    """Requires networks that fit the data, and files with all the weights that they begin with."""
    judged = any(term.needs_discriminator for term in config.every_term())
    with shapes_alone():
        build(config.generator, data.spec).attach(data.codec)
        if judged:
            build(config.discriminator, data.spec)
    if going_on:
        return
    if config.generator.files:
        make_generator(config.generator, data.spec, config.seed)
    if judged and config.discriminator.files:
        make_discriminator(config.discriminator, data.spec, config.seed, data.codec)


def _stored(config: RunConfig) -> dict[str, Any]:
    """The settings as the run's folder keeps them."""
    return asdict(replace(config, output_dir=None, overwrite=False, resume=False, trust=False))


def _place(config: RunConfig) -> tuple[str, bool]:
    """The run's folder, and whether it holds a run to go on with; it is free otherwise."""
    path = folder_of(config) or default_folder(config.data)
    going_on = resumes(config, path)
    if going_on:
        check_same_settings(RunDirectory.open(path), _stored(config))
    else:
        put_back(path)
        RunDirectory.check_free(path, config.overwrite)
    return str(path), going_on


def _saved(
    command: str, config: RunConfig, path: Path, whole: str, processes: Processes, say: Say
) -> Saved | None:
    """The checkpoint that all processes go on from, which the main one finds."""
    found = starting_point(command, config, path, whole, say) if processes.is_main else None
    place = processes.agree(lambda: None if found is None else str(found.place))
    return found if place is None or found is not None else read_checkpoint(Path(place))


def _read(config: RunConfig, run: RunDirectory | None) -> tuple[Dataset, str]:
    """The data, of a run if there is one, and the fingerprint of all of them."""
    data = data_of(config, run)
    check_splits(data)
    return data, fingerprint(data)


def _describe(directory: RunDirectory, data: Dataset, whole: str) -> None:
    """Writes what a run is trained on."""
    save_codec(data.codec, directory.path)
    data.conditions.save(directory.path)
    write_json(directory.path / DATA, {"fingerprint": whole, "report": data.report})
