"""Models on disk: parameters as safetensors, settings and token ids as JSON.

Nothing is unpickled, and a file of a stranger's cannot allocate memory: the model it describes is
first built on torch's `meta` device and its shapes are compared with those of the parameters.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..config import DiscriminatorConfig, GeneratorConfig
from ..config.components import Component, build
from ..config.settings import settings_from
from ..data.codec import Codec
from ..data.spec import TokenSpec
from ..errors import CheckpointError
from . import bases
from .build import shapes_alone
from .discriminators.base import Discriminator
from .generator import Generator

__all__ = ["load_discriminator", "load_generator", "load_model", "save_model"]

FORMAT = 2
KINDS: dict[str, type[Component]] = {
    "generator": GeneratorConfig,
    "discriminator": DiscriminatorConfig,
}


def save_model(model: nn.Module, path: str | os.PathLike[str], shared: bool = False) -> None:
    """Writes ``path.safetensors`` and ``path.json``.

    Args:
        model: a generator or a discriminator of the toolkit's.
        path: without a suffix.
        shared: it goes to another machine: folders of this one are left out.
    """
    path = Path(path)
    described: Any = model
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, path.with_suffix(".safetensors"))
    settings = described.settings
    base = bases.base_of(settings)
    description = {
        "format": FORMAT,
        "kind": next(k for k, each in KINDS.items() if isinstance(settings, each)),
        "settings": bases.described(settings, shared),
        "spec": described.spec.to_dict(),
        **({} if base is None else {"base": base}),
    }
    path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")


def load_model(
    path: str | os.PathLike[str], device: torch.device | str = "cpu", base: str | None = None
) -> Any:
    """The model that `save_model` wrote at `path`, in evaluation mode.

    Args:
        path: without a suffix.
        device: where it is put.
        base: place of the pretrained model that it goes on from; None: where it was.

    Raises:
        CheckpointError: a file is missing or damaged, of another format, or its parameters do not
            fit the model it describes; the pretrained model that it goes on from is not there.
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
        found = description.get("format") if isinstance(description, dict) else None
        which = "; version 0.1 reads it" if found == 1 else ""
        raise CheckpointError(f"{described}: not a model of format {FORMAT}{which}")
    try:
        model = _described(description, tensors, base)
        model.load_state_dict(tensors)
    except CheckpointError:  # its base is not there
        raise
    except (TypeError, KeyError, ValueError, IndexError, RuntimeError, OverflowError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise CheckpointError(f"{weights}: does not fit {described.name} ({first})") from None
    return model.to(device).eval()


def _described(
    description: dict[str, Any], tensors: dict[str, Tensor], base: str | None
) -> nn.Module:
    """The model of a description, with parameters of the shapes that the file has.

    Raises:
        KeyError, TypeError, ValueError: the description is damaged, or of other shapes.
    """
    kind = description["kind"]
    settings = settings_from(KINDS[kind], description["settings"])
    settings = bases.placed(settings, description.get("base"), kind, base)
    spec = TokenSpec.from_dict(description["spec"])
    with shapes_alone():
        shapes = {k: v.shape for k, v in build(settings, spec).state_dict().items()}
    if shapes != {k: v.shape for k, v in tensors.items()}:
        raise ValueError("parameters of other shapes")
    model: nn.Module = build(settings, spec)
    return model


def load_generator(
    path: str | os.PathLike[str], device: torch.device | str = "cpu", base: str | None = None
) -> Generator:
    """The generator that `save_model` wrote at `path`, in evaluation mode; as `load_model`.

    Raises:
        CheckpointError: as `load_model`, and if the model is no generator.
    """
    model = load_model(path, device, base)
    if not isinstance(model, Generator):
        raise CheckpointError(
            f"{Path(path).with_suffix('.json')}: a {type(model).__name__}, not a generator"
        )
    return model


def load_discriminator(
    path: str | os.PathLike[str], codec: Codec, device: torch.device | str = "cpu",
    base: str | None = None,
) -> Discriminator | None:  # fmt: skip
    """The discriminator that `save_model` wrote at `path`, or None if nothing is there.

    Args:
        path: without a suffix.
        codec: of the tokens that it judges; one of texts reads them through it.
        device: where it is put.
        base: place of the pretrained encoder that it goes on from; None: where it was; none: it
            is left out.

    Raises:
        CheckpointError: as `load_model`, and if the model is no discriminator.
    """
    if base == "none" or not Path(path).with_suffix(".json").is_file():
        return None
    model = load_model(path, device, base)
    if not isinstance(model, Discriminator):
        raise CheckpointError(
            f"{Path(path).with_suffix('.json')}: a {type(model).__name__}, not a discriminator"
        )
    model.attach(codec)
    return model
