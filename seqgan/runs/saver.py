"""Checkpoints of a run: their contents, the times at which they are written, and resuming.

A checkpoint has a phase and parts. A part is whatever has `state_dict` and `load_state_dict`. The
pipeline and the trainings name their parts as they come to them; where the run goes on from a
checkpoint, a part takes up its state at that moment.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..config import CheckpointConfig
from ..errors import CheckpointError
from ..models import save_model
from .checkpoints import Checkpoints
from .files import write_json
from .state import Stateful, pack, unpack, weights_for

__all__ = ["PHASES", "Saved", "Saver", "read_checkpoint"]

FORMAT = 6
PHASES = ("pretrain", "pretrained", "members", "critic", "again", "adversarial", "control")
"""Of a run, in order. "pretrained": between two trainings."""
TENSORS, STATE = "training.safetensors", "state.json"


@dataclass
class Saved:
    """A checkpoint as it was read.

    Attributes:
        place: its folder.
        phase: one of `PHASES`.
        parts: the states of the parts by name.
    """

    place: Path
    phase: str
    parts: dict[str, Any]


def read_checkpoint(place: Path) -> Saved:
    """Reads a checkpoint whose checksums are right.

    Raises:
        CheckpointError: it is of another format, or not a checkpoint at all.
    """
    try:
        content = json.loads((place / STATE).read_text(encoding="utf-8"))
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            which = "version 0.1, which still resumes from it" if found == 2 else "another version"
            raise CheckpointError(
                f"{place}: written by {which}: this one resumes from checkpoints of format {FORMAT}"
            )
        parts = unpack(content["parts"], load_file(place / TENSORS))
        parts |= {name: load_file(place / f"{name}.safetensors") for name in content["models"]}
        phase = content["phase"]
    except CheckpointError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{place}: cannot be read ({error})") from None
    if phase not in PHASES:
        raise CheckpointError(f"{place}: unknown phase {phase!r}")
    return Saved(place, phase, parts)


class Saver:
    """Writes the checkpoints of a run, and hands out the states of the one it goes on from.

    Args:
        checkpoints: where they are.
        config: when they are due, and how many are kept.
        saved: the checkpoint that the run goes on from, or None.
    """

    def __init__(
        self, checkpoints: Checkpoints, config: CheckpointConfig, saved: Saved | None = None
    ):
        self.checkpoints, self.config, self.saved = checkpoints, config, saved
        self.phase = PHASES[0]
        self._lasting: dict[str, Stateful] = {}
        self._passing: dict[str, Stateful] = {}
        self._written_at, self._last_step = time.monotonic(), 0

    def hold(self, **parts: Stateful) -> None:
        """Parts of every checkpoint from now on."""
        self._lasting |= parts
        self._take_up(parts)

    def enter(self, phase: str, **parts: Stateful) -> None:
        """Begins a phase, and its parts in the place of those of the phase before."""
        self.phase, self._passing = phase, parts
        if self.saved is not None and self.saved.phase == phase:
            self._take_up(parts)

    def past(self, phase: str) -> bool:
        """Tells if the run goes on from a checkpoint of a later phase."""
        return self.saved is not None and PHASES.index(self.saved.phase) > PHASES.index(phase)

    def due(self, step: int) -> bool:
        """Tells if it is time for a checkpoint."""
        steps, minutes = self.config.every_steps, self.config.every_minutes
        if steps and step - self._last_step >= steps:
            return True
        return minutes > 0 and time.monotonic() - self._written_at >= 60 * minutes

    def save(self, step: int, *names: str) -> Path | None:
        """Writes a checkpoint.

        Args:
            step: gradient steps of all models so far.
            names: what it is besides "latest".

        Returns:
            Its place, or None where a model is not finite: that is no state to go on from.
        """
        parts = self._lasting | self._passing
        models = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
        if not all(_finite(model) for model in models.values()):
            return None
        others = {name: parts[name].state_dict() for name in parts if name not in models}
        tensors, skeleton = pack(others, "training")

        def write(folder: Path) -> None:
            for name, model in models.items():
                save_model(model, folder / name)
            save_file(tensors, folder / TENSORS)
            content = {
                "format": FORMAT,
                "phase": self.phase,
                "steps": step,
                "models": sorted(models),
                "parts": skeleton,
            }
            write_json(folder / STATE, content)

        place = self.checkpoints.save(step, write, names, self.config.keep)
        self._written_at, self._last_step = time.monotonic(), step
        return place

    def _take_up(self, parts: dict[str, Stateful]) -> None:
        if self.saved is None:
            return
        for name, part in parts.items():
            state = self.saved.parts.pop(name, None)
            if state is None:
                continue
            try:
                if isinstance(part, nn.Module):
                    state = weights_for(part, state)
                part.load_state_dict(state)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                first = " ".join(str(error).split())[:200]
                raise CheckpointError(
                    f"{self.saved.place}: {name} does not fit these settings ({first})"
                ) from None


def _finite(model: nn.Module) -> bool:
    tensors = [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
