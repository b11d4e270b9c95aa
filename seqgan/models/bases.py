"""Pretrained models that a saved model goes on from: named by place, known by content.

A model that began with files of others (a language model, an encoder) is saved without them, with
adapters even without their weights. So what is saved says which files these were.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..config.components import Component
from ..config.sharing import FLAGS
from ..errors import CheckpointError

__all__ = ["base_of", "described", "placed"]

WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
BLOCK = 1 << 20


def base_of(settings: Component) -> dict[str, str] | None:
    """Name and hash of the pretrained model that a model goes on from; None: it has none."""
    place = _place_of(settings)
    return None if place is None else {"name": place.name, "sha256": _hash_of(place)}


def described(settings: Component, shared: bool) -> dict[str, Any]:
    """Settings as they are written: with the place of the base, or its name alone.

    Args:
        settings: of a model.
        shared: it goes to another machine, whose folders are others.
    """
    place, found = _place_of(settings), asdict(settings)
    if place is not None:
        found[settings.files] = place.name if shared else str(place)
    return found


def placed(settings: Component, base: dict[str, Any] | None, kind: str, given: str | None) -> Any:
    """A model's settings with the place of its base.

    Args:
        settings: as they were written.
        base: what was written of it; None: it has none.
        kind: generator or discriminator.
        given: the place that the user names; None: where it was.

    Raises:
        CheckpointError: it is not there, or holds other weights.
    """
    if base is None:
        return settings
    flag, name, digest = FLAGS[kind], str(base["name"]), str(base["sha256"])
    place = given or getattr(settings, settings.files)
    if not Path(place).exists():
        raise CheckpointError(
            f"{flag}: {place}: no such folder or file; the {kind} goes on from the pretrained "
            f"model {name} (sha256 {digest[:12]}), which is no part of it; name its place with "
            f"{flag} PATH"
        )
    if _hash_of(Path(place)) != digest:
        raise CheckpointError(
            f"{flag}: the weights in {place} are not those of {name} (sha256 {digest[:12]}), which "
            f"the {kind} goes on from; name the place of those with {flag} PATH"
        )
    return replace(settings, **{settings.files: place})


def _place_of(settings: Component) -> Path | None:
    """The files that settings name; None if they name none, or something that is no file."""
    name = getattr(settings, settings.files) if settings.files else ""
    return Path(os.path.abspath(name)) if name and Path(name).exists() else None


def _hash_of(place: Path) -> str:
    """SHA-256 of the weights in a folder or a file, in hexadecimal digits."""
    files = [place]
    if place.is_dir():
        files = sorted(file for pattern in WEIGHTS for file in place.glob(pattern))
    known = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _hash(known)


@lru_cache(maxsize=8)
def _hash(files: tuple[tuple[str, int, int], ...]) -> str:
    """The hash of files of a size and an age: a checkpoint every few minutes reads none again."""
    found = hashlib.sha256()
    for name, _, _ in files:
        with open(name, "rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    return found.hexdigest()
