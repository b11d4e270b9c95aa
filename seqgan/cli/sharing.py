"""The commands ``seqgan push`` and ``seqgan pull``, after their settings are read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from rich.console import Console

from ..config import SampleConfig
from ..config.sharing import PullConfig, PushConfig, is_folder
from ..data.text.tokenizers import make_tokenizer
from ..errors import CheckpointError, ConfigError
from ..hub import DESCRIPTION, PARTS, TextGenerator
from ..terminal import say

__all__ = ["pull", "push", "reading_of"]


def push(settings: PushConfig, console: Console) -> int:
    """``seqgan push``."""
    if is_folder(settings.to):
        _check_free(settings.to, settings.overwrite)
    model = TextGenerator.from_run(settings.run, settings.model, settings.tokenizer)
    if is_folder(settings.to):
        return _keep(model, settings.to, console)
    try:
        place = model.push_to_hub(
            settings.to, private=settings.private, delete_patterns=list(PARTS)
        )
    except (OSError, HFValidationError) as error:  # the network, the account, the name
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CheckpointError(
            f"--to: {settings.to}: the Hub does not take it: {first} (hf auth login logs in; "
            "--to ./FOLDER writes a folder)"
        ) from error
    say(console, f"Pushed: {place}")
    return 0


def pull(settings: PullConfig, console: Console) -> int:
    """``seqgan pull``."""
    _check_free(settings.to, settings.overwrite)
    source = Path(settings.model).expanduser() if is_folder(settings.model) else settings.model
    model = TextGenerator.from_pretrained(
        source, revision=settings.revision, **reading_of(settings)
    )
    return _keep(model, settings.to, console)


def reading_of(settings: PullConfig | SampleConfig) -> dict[str, Any]:
    """Arguments of `TextGenerator.from_pretrained` that the user gives for a shared model."""
    name = settings.tokenizer
    return {
        "tokenizer": None if name is None else make_tokenizer(name, "--tokenizer"),
        "base_model": settings.base_model,
        "base_encoder": settings.base_encoder,
    }


def _check_free(to: str, overwrite: bool) -> None:
    """Refuses a folder that holds something, if it is not a model that may be replaced."""
    place = Path(to).expanduser()
    if not place.exists():
        return
    if not place.is_dir():
        raise ConfigError(f"--to: {to} is a file, not a folder")
    if any(place.iterdir()) and not (place / DESCRIPTION).is_file():
        raise ConfigError(f"--to: {to} holds files that are no model; choose another name")
    if (place / DESCRIPTION).is_file() and not overwrite:
        raise ConfigError(
            f"--to: {to} holds a model already; --overwrite true replaces it, or choose another "
            "name"
        )


def _keep(model: TextGenerator, to: str, console: Console) -> int:
    """Writes a model; of one that stood there nothing is left."""
    place = Path(to).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".new-") as folder:
        new = Path(folder)
        model.save_pretrained(new)
        # Without its description a folder is no model, whatever else goes wrong.
        (place / DESCRIPTION).unlink(missing_ok=True)
        for pattern in PARTS:
            for file in place.glob(pattern):
                file.unlink()
        for file in sorted(new.iterdir(), key=lambda file: file.name == DESCRIPTION):
            os.replace(file, place / file.name)
    say(console, f"Written: {place}, a model with its card")
    say(console, f"Sample from it: seqgan sample --run {place} --number 20")
    return 0
