"""Models on disk: parameters as safetensors, everything else as JSON; nothing is unpickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..config.kinds import of_kind
from ..errors import CheckpointError, did_you_mean
from .discriminators import BiLSTMDiscriminator, CNNDiscriminator
from .lstm import LSTMGenerator

__all__ = ["load_generator", "load_model", "save_model"]

FORMAT = 1
LONGEST = 1_000_000
"""Tokens of a sequence: what --corpus.max_length allows."""
MODELS: dict[str, type[nn.Module]] = {
    "LSTMGenerator": LSTMGenerator,
    "BiLSTMDiscriminator": BiLSTMDiscriminator,
    "CNNDiscriminator": CNNDiscriminator,
}


def save_model(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Writes ``path.safetensors`` and ``path.json``.

    Args:
        model: one of the toolkit's models (its constructor arguments are in `arguments`).
        path: without a suffix.
    """
    path = Path(path)
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, path.with_suffix(".safetensors"))
    description = {
        "format": FORMAT,
        "model": type(model).__name__,
        "arguments": model.arguments,
    }
    path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


def load_model(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Any:
    """The model that `save_model` wrote at `path`, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or damaged, of another format, or its parameters do not
            fit the model it describes.
    """
    path = Path(path)
    described, weights = path.with_suffix(".json"), path.with_suffix(".safetensors")
    try:
        description = json.loads(described.read_text())
        tensors = load_file(weights)
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename or weights}: no such file") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the model cannot be read ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise CheckpointError(f"{described}: not a model of format {FORMAT}")
    name = str(description.get("model"))
    if name not in MODELS:
        raise CheckpointError(f"{described}: unknown model {name!r}{did_you_mean(name, MODELS)}")
    try:
        arguments = _checked(MODELS[name], description["arguments"], tensors)
        model = MODELS[name](**arguments)
        model.load_state_dict(tensors)
    except (TypeError, KeyError, ValueError, IndexError, RuntimeError, OverflowError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise CheckpointError(f"{weights}: does not fit {described.name} ({first})") from None
    return model.to(device).eval()


def _checked(model: type[nn.Module], arguments: Any, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Constructor arguments out of a file: of the right kinds, and no larger than its parameters.

    Raises:
        TypeError, ValueError: they are not; the memory that such a model would take is not asked
            for.
    """
    if not isinstance(arguments, dict):
        raise TypeError("the arguments are no mapping")
    hints = get_type_hints(model.__init__)
    for name, value in arguments.items():
        if name not in hints or not of_kind(value, hints[name]):
            raise TypeError(f"{str(name)[:40]!r} cannot be {value!r:.40}")
    size, longest = arguments.get("vocab_size", 0), arguments.get("max_length", 1)
    ids = [arguments.get(name, 0) for name in ("bos_id", "eos_id", "pad_id")]
    ids += [*arguments.get("forbidden", ()), *arguments.get("withheld", ())]
    if not all(each is None or 0 <= each < size for each in ids) or not 1 <= longest <= LONGEST:
        raise ValueError("ids or lengths are out of range")
    names = ("vocab_size", "embedding", "hidden", "layers")
    vocabulary, embedding, hidden, layers = (arguments.get(name, 1) for name in names)
    filters, widths = arguments.get("filters", [0]), arguments.get("widths", [0])
    windows = sum(count * width for count, width in zip(filters, widths, strict=True))
    largest = max(
        vocabulary * embedding, hidden * embedding, layers * hidden**2, windows * embedding,
        sum(filters) ** 2,
    )  # fmt: skip
    if largest > sum(tensor.numel() for tensor in tensors.values()):
        raise ValueError("larger than its parameters")
    return arguments


def load_generator(
    path: str | os.PathLike[str], device: torch.device | str = "cpu"
) -> LSTMGenerator:
    """The generator that `save_model` wrote at `path`, in evaluation mode.

    Raises:
        CheckpointError: as `load_model`, and where the model is no generator.
    """
    model = load_model(path, device)
    if not isinstance(model, LSTMGenerator):
        raise CheckpointError(
            f"{Path(path).with_suffix('.json')}: a {type(model).__name__}, not a generator"
        )
    return model
