"""Files that a run was trained on, found again from another folder.

A run knows its data by content (a fingerprint), and its settings name the files as they were typed.
A relative name that holds no more is looked for in the folder that the run was begun in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..config import SOURCES, FileCorpus, RunConfig
from ..config.imports import dotted_names
from ..config.names import EMBEDDERS, JUDGES, TOKENIZER_FILES
from ..data.dataset import Dataset
from ..data.sources import run_data
from ..data.text.readers import near_file
from ..data.text.vocabulary import Vocabulary
from ..data.word_codec import VOCABULARY
from ..errors import ConfigError, DataError
from .run_directory import RunDirectory

__all__ = ["FILES", "check_imports", "data_of", "names_a_file", "not_its_data", "with_files_found"]

FILES = (
    "data", "test_data", "validation_data", "corpus.tokenizer", "corpus.parameters",
    "evaluation.judge", "generator.model", "discriminator.encoder",
)  # fmt: skip
"""Settings that name a file. The fingerprint of the data says if they hold what they held, wherever
they are, and models know their pretrained ones by content; only a judge has no part in it."""
NAMES = {"data": SOURCES, "evaluation.judge": JUDGES, "discriminator.encoder": EMBEDDERS}
"""Values of these settings that are no files."""


def check_imports(config: RunConfig, run: RunDirectory, flags: Mapping[str, str]) -> None:
    """Refuses settings of a run, which may be a stranger's, that would cause an import.

    Args:
        config: the settings.
        run: whose settings they were.
        flags: the settings that the user did not name, each with the flag that would.

    Raises:
        ConfigError: a dotted path that the user did not name.
    """
    for setting, name in dotted_names(asdict(config)):
        if setting in flags:
            raise ConfigError(
                f"{run.path}: the run's {setting.rpartition('.')[2]} {name!r} is not built in; "
                f"name it with {flags[setting]} to use it"
            )


def names_a_file(setting: str, value: str | None) -> bool:
    """Tells a file from a named source, a built-in tokenizer, and nothing."""
    if value is None or value in NAMES.get(setting, ()):
        return False
    return setting != "corpus.tokenizer" or value.endswith(TOKENIZER_FILES)


def with_files_found(
    config: RunConfig, run: RunDirectory, flags: Mapping[str, str] = MappingProxyType({})
) -> RunConfig:
    """The settings of a run, with the places where its files are now.

    Args:
        config: the run's settings, or those of a run that continues it.
        run: says in which folder it was begun.
        flags: settings that the command's flags call otherwise.

    Raises:
        DataError: a file is nowhere; the message names the flag for its new place.
    """
    groups: dict[str, Any] = {
        name: replace(getattr(config, name))
        for name in ("corpus", "evaluation", "generator", "discriminator")
    }
    config = replace(config, **groups)
    for setting in FILES:
        group, _, name = setting.rpartition(".")
        holder = getattr(config, group) if group else config
        value = getattr(holder, name, None)  # not every kind of data has it
        if value is not None and names_a_file(setting, value) and not Path(value).exists():
            setattr(holder, name, _place(flags.get(setting, setting), value, run))
    if isinstance(config.corpus, FileCorpus):
        config.corpus.tasks = [
            file if Path(file).exists() else _place("corpus.tasks", file, run)
            for file in config.corpus.tasks
        ]
    return config


def data_of(config: RunConfig, run: RunDirectory | None) -> Dataset:
    """The data that settings name; if these are a run's, errors say that its data are missing.

    Args:
        config: the settings.
        run: the run whose data are wanted, or None for any data.

    Raises:
        DataError, ConfigError: as `run_data`, or a file of the run is nowhere.
    """
    vocabulary = _vocabulary(config, run)
    if run is None:
        return run_data(config, vocabulary)
    config = with_files_found(config, run)
    try:
        return run_data(config, vocabulary)
    except DataError as error:
        raise DataError(f"{not_its_data(config, run)}: {error}") from None


def _vocabulary(config: RunConfig, run: RunDirectory | None) -> Vocabulary | None:
    """The vocabulary of the run that training began with; of a run itself, if it has one."""
    if config.pretrain.run is None:
        return None
    places = [Path(config.pretrain.run), *([] if run is None else [run.path])]
    found = [place / VOCABULARY for place in reversed(places) if (place / VOCABULARY).is_file()]
    if not found:
        raise DataError(
            f"--pretrain.run: {config.pretrain.run} has no vocabulary of words to read other data "
            "with"
        )
    return Vocabulary.load(found[0])


def not_its_data(config: RunConfig, run: RunDirectory) -> str:
    """The beginning of a message."""
    return f"--data: {config.data} is not what the run at {run.path} was trained on"


def _place(flag: str, value: str, run: RunDirectory) -> str:
    folder = run.begun_in()
    if folder is not None and (folder / value).exists():
        return os.fspath(folder / value)
    raise DataError(
        f"{run.path}: {value}: the file that the run was trained on is not there"
        f"{near_file(Path(value))}; name its place with --{flag} PATH"
    )
