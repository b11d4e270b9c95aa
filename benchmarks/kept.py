"""The trained models of a cell on the disk: what was trained once is not trained again.

Beside a model stand the settings and data that it was trained with, and the record of the training
(`Recorder.record`). So a cell that was ended goes on where it was, and an arm whose result file is
removed is measured again without its training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rollout import Policy
from seqgan.errors import ConfigError
from seqgan.models import Generator, load_generator, save_model
from seqgan.runs.files import write_folder, write_json

from .recorder import Compute
from .results import git_state

__all__ = ["Record", "kept"]

Record = dict[str, Any]
TRAINING = "training.json"


def kept(
    place: Path | None,
    about: Mapping[str, Any],
    device: Any,
    train: Callable[[], tuple[Policy, Record]],
    beside: Callable[[Path], None] | None = None,
) -> tuple[Policy, Record]:
    """The model of a folder, which is trained first if it is not there.

    A model is read again once it is written, so that it is the same whether it has just been
    trained or not. A policy that is no `Generator` cannot be written, and is made each time.

    Args:
        place: folder of the model; None: it is kept nowhere.
        about: settings and data that it is trained with.
        device: where it is to lie.
        train: returns the model and the record of its training.
        beside: writes more of what was trained into a folder.

    Raises:
        ConfigError: the folder holds a model of other settings or data.
    """
    path = None if place is None else place / TRAINING
    wanted = json.loads(json.dumps(about))
    if place is None or path is None or not path.is_file():
        policy, record = train()
        record = {**wanted, **json.loads(json.dumps(record)), "git": git_state()}
        if place is None or not isinstance(policy, Generator):
            return policy, record
        _write(place, policy, record, beside)
    record = json.loads((place / TRAINING).read_text(encoding="utf-8"))
    noted = {**wanted, **dict.fromkeys(Compute._fields, 0.0)}
    for key, value in noted.items():
        if value is not None and key not in record:
            raise ConfigError(
                f"{place} was made by an earlier version, which did not note its {key}: remove "
                "that folder, so that it is trained again"
            )
        if key in wanted and record.get(key) != value:
            raise ConfigError(
                f"{place} was trained with other settings or data ({key}): choose another "
                "--output_dir, or remove the cell's folder"
            )
    model: Policy = load_generator(place / "generator", device)
    return model, record


def _write(
    place: Path, model: Generator, record: Record, beside: Callable[[Path], None] | None
) -> None:
    def write(aside: Path) -> None:
        save_model(model, aside / "generator")
        write_json(aside / TRAINING, record)
        if beside is not None:
            beside(aside)

    place.parent.mkdir(parents=True, exist_ok=True)
    write_folder(place, write)
