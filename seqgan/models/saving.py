"""Models on disk: parameters as safetensors, everything else as JSON; nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import CheckpointError, did_you_mean
from .discriminators import BiLSTMDiscriminator, CNNDiscriminator
from .lstm import LSTMGenerator

__all__ = ["load_generator", "load_model", "save_model"]

FORMAT = 1
MODELS: dict[str, type[nn.Module]] = {
    "LSTMGenerator": LSTMGenerator,
    "BiLSTMDiscriminator": BiLSTMDiscriminator,
    "CNNDiscriminator": CNNDiscriminator,
}


def save_model(model: nn.Module, path: Path) -> None:
    """Writes ``path.safetensors`` and ``path.json``.

    Args:
        model: one of the toolkit's models (its constructor arguments are in `arguments`).
        path: without a suffix.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, path.with_suffix(".safetensors"))
    description = {
        "format": FORMAT,
        "model": type(model).__name__,
        "arguments": model.arguments,
    }
    path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


def load_model(path: Path, device: torch.device | str = "cpu") -> Any:
    """The model that `save_model` wrote at `path`, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or damaged, of another format, or its parameters do not
            fit the model it describes.
    """
    described, weights = path.with_suffix(".json"), path.with_suffix(".safetensors")
    try:
        description = json.loads(described.read_text())
        tensors = load_file(weights)
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename or weights}: no such file") from None
    except (SafetensorError, OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: the model cannot be read ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(f"{described}: not a model of format {FORMAT}")
    name = str(description.get("model"))
    if name not in MODELS:
        raise CheckpointError(f"{described}: unknown model {name!r}{did_you_mean(name, MODELS)}")
    try:
        model = MODELS[name](**description["arguments"])
        model.load_state_dict(tensors)
    except (TypeError, KeyError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{weights}: does not fit {described.name} ({first})") from None
    return model.to(device).eval()


def load_generator(path: Path, device: torch.device | str = "cpu") -> LSTMGenerator:
    """The generator that `save_model` wrote at `path`, in evaluation mode.

    Raises:
        CheckpointError: as `load_model`, and where the model is no generator.
    """
    model = load_model(path, device)
    if not isinstance(model, LSTMGenerator):
        raise CheckpointError(
            f"{path.with_suffix('.json')}: a {type(model).__name__}, not a generator"
        )
    return model
