"""Trackers, which show measurements while a run goes on: accelerate's.

`metrics.jsonl` holds every measurement in any case. TensorBoard needs nothing more; wandb and
trackio come with the extra ``track`` and are imported only where a run asks for them.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import (
    GeneralTracker,
    TensorBoardTracker,
    TrackioTracker,
    WandBTracker,
    on_main_process,
)
from PIL import Image

from ..errors import ConfigError, MissingExtraError

__all__ = ["check_trackers", "make_trackers", "show_picture"]

PROJECT = "seqgan"


def check_trackers(names: Iterable[str]) -> None:
    """Raises MissingExtraError where the package of a tracker is not installed."""
    for name in names:
        if name != "tensorboard" and importlib.util.find_spec(name) is None:
            raise MissingExtraError(name, "track", f"--trackers [{name}]")


def make_trackers(names: Iterable[str], folder: Path) -> list[GeneralTracker]:
    """The trackers of one run, for an accelerator to start.

    Starting one raises a ConfigError where it cannot: wandb without a key, say.

    Args:
        names: tensorboard, wandb, trackio.
        folder: the run's folder; its name is the run's name in the project "seqgan".

    Raises:
        MissingExtraError: a package is not installed.
    """
    names = list(dict.fromkeys(names))
    check_trackers(names)
    title = folder.resolve().name
    makers = {
        "tensorboard": lambda: TensorBoardTracker("", folder),
        "wandb": lambda: _WandB(PROJECT, name=title, dir=str(folder)),
        "trackio": lambda: _Trackio(PROJECT, name=title),
    }
    return [makers[name]() for name in names]


def show_picture(trackers: Iterable[Any], name: str, picture: bytes) -> None:
    """Shows a picture, a PNG, grey or in colours, in TensorBoard, if it is among the trackers."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))[None]
    for tracker in trackers:
        if tracker.name == "tensorboard":
            tracker.log_images({name: pixels}, 0, dataformats="NHWC")


class _OwnSteps(GeneralTracker):
    """A tracker that wants one step which only grows, and drops what goes back.

    Stages count epochs, steps and rounds of their own, so each step stands among the values.
    """

    main_process_only = True

    @on_main_process
    def start(self) -> None:
        """Begins the run; the package's own complaints become ours."""
        try:
            super().start()
        except Exception as error:  # each package has its own kinds
            way = "; WANDB_MODE=offline needs no account" if self.name == "wandb" else ""
            raise ConfigError(f"--trackers: {self.name} cannot start: {error}{way}") from error

    @on_main_process
    def log(self, values: dict[str, Any], step: int | None = None, **settings: Any) -> None:
        """One line of metrics."""
        present = {name: value for name, value in values.items() if value is not None}
        steps = {f"{name.split('/')[0]}/step": step for name in values}
        super().log({**present, **steps}, None, **settings)


class _WandB(_OwnSteps, WandBTracker):
    """Weights & Biases, each stage drawn against its own step."""

    @on_main_process
    def start(self) -> None:
        """Begins the run."""
        super().start()
        self._stages: set[str] = set()

    @on_main_process
    def log(self, values: dict[str, Any], step: int | None = None, **settings: Any) -> None:
        """One line of metrics."""
        for stage in {name.split("/")[0] for name in values} - self._stages:
            self._stages.add(stage)
            self.run.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
        super().log(values, step, **settings)


class _Trackio(_OwnSteps, TrackioTracker):
    """Trackio, each stage with its own step among the values."""
