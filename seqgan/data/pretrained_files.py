"""Pretrained models and tokenizers of the library transformers, from files.

Nothing is downloaded, and no code that lies beside a model is run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from rollout.devices import is_out_of_memory

from ..errors import ConfigError, MissingExtraError

__all__ = [
    "load_whole", "place_of", "quiet", "read_by_library", "tokenizer_of", "vocabulary_of",
]  # fmt: skip

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, SafetensorError)
"""Errors of the library about files that hold no model of a kind that it knows."""
_OLDER = ("vocab.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
"""Files of tokenizers without a ``tokenizer.json``."""


def place_of(name: str, flag: str, packages: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """The folder of a model, and what the library's ``from_pretrained`` is told besides.

    Args:
        name: a folder, or a .gguf file.
        flag: the setting that named it, for messages.
        packages: needed besides transformers.

    Raises:
        ConfigError: there is none.
        MissingExtraError: a package is not installed.
    """
    path = Path(name)
    if not name:
        raise ConfigError(f"{flag}: give a folder that transformers reads, or a .gguf file")
    if not path.exists():
        raise ConfigError(f"{flag}: {name}: no such folder or file; nothing is downloaded")
    gguf = path.suffix == ".gguf"
    for package in ("transformers", *packages, *(("gguf",) if gguf else ())):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "lm", f"{flag} {name}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if gguf:
        return str(path.parent), {**options, "gguf_file": path.name}
    return str(path), options


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the library's progress bars and reports off the terminal."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def read_by_library(name: str, flag: str, kind: str) -> Iterator[None]:
    """Turns the library's errors about files into one clear line.

    Args:
        name: the folder or the file.
        flag: the setting that named it.
        kind: of thing that should be there.

    Raises:
        ConfigError: the library cannot read it.
    """
    from huggingface_hub import errors

    damaged = getattr(errors, "StrictDataclassError", ValueError)  # older versions have none
    try:
        with quiet():
            yield
    except (*_UNREADABLE, damaged) as error:
        if is_out_of_memory(error):
            raise
        first = (str(error).strip().splitlines() or [""])[0]
        raise ConfigError(f"{flag}: {name} holds no {kind}: {first}") from error


def load_whole(
    auto: str,
    name: str,
    flag: str,
    kind: str,
    packages: tuple[str, ...] = (),
    unused: str | None = None,
) -> Any:
    """The library's model in a folder or a .gguf file, with all its weights.

    On torch's `meta` device its shapes alone are made, and no weights are read.

    Args:
        auto: class of the library that makes it.
        name: the folder or the file.
        flag: the setting that named it, for messages.
        kind: what it should be, for messages.
        packages: needed besides transformers.
        unused: a part whose weights may be missing.

    Raises:
        ConfigError: there is none, or weights are missing.
        MissingExtraError: a package is not installed.
    """
    folder, options = place_of(name, flag, packages)
    import transformers

    made: Any = getattr(transformers, auto)
    with read_by_library(name, flag, kind):
        if torch.get_default_device().type == "meta":
            config = transformers.AutoConfig.from_pretrained(folder, **options)
            return made.from_config(config, dtype=torch.float32)
        options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
        whole, report = made.from_pretrained(folder, dtype=torch.float32, **options)
    lacking = sorted([*report["missing_keys"], *(each for each, *_ in report["mismatched_keys"])])
    lacking = [each for each in lacking if unused is None or unused not in each]
    if lacking:  # the library draws them at random
        raise ConfigError(
            f"{flag}: {name} lacks {len(lacking)} weights of a {type(whole).__name__}, or has them "
            f"in another shape: {', '.join(lacking[:3])}{', ...' * (len(lacking) > 3)}; "
            "give a folder with the whole model"
        )
    return whole


def tokenizer_of(name: str, flag: str) -> str | None:
    """The tokenizer of a model as the text of a ``tokenizer.json``; None: its folder has none.

    The library makes it of the files of older tokenizers.

    Args:
        name: a folder, or a .gguf file.
        flag: the setting that named it, for messages.

    Raises:
        ConfigError, MissingExtraError: as `place_of`, or it cannot be read.
    """
    folder, options = place_of(name, flag)
    file = Path(folder) / "tokenizer.json"
    if "gguf_file" not in options:
        if file.is_file():
            return file.read_text(encoding="utf-8")
        if not any((Path(folder) / each).is_file() for each in _OLDER):
            return None
    from transformers import AutoTokenizer

    with read_by_library(name, flag, "tokenizer"):
        made = AutoTokenizer.from_pretrained(folder, **options)
    backend = getattr(made, "backend_tokenizer", None)  # some are not of the library tokenizers
    return None if backend is None else str(backend.to_str())


def vocabulary_of(content: str) -> dict[str, int]:
    """The ids of all tokens of a ``tokenizer.json``, given as text."""
    from tokenizers import Tokenizer

    found: dict[str, int] = Tokenizer.from_str(content).get_vocab(with_added_tokens=True)
    return found
