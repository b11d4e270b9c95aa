"""Causal language models of the library transformers, from files; nothing is downloaded."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from rollout.devices import is_out_of_memory

from ..errors import ConfigError, MissingExtraError

__all__ = ["LanguageModel", "read_language_model"]

FLAG = "--generator.model"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, ImportError, SafetensorError)
"""Errors of the library about files that hold no model of a kind that it knows."""


class LanguageModel(NamedTuple):
    """A network with what stands before and after it.

    Attributes:
        network: from embedded tokens to features, its own embeddings taken out.
        config: of the library.
        embeddings: [W, E] of its W tokens.
        output: [W, E], weights of its output layer.
        bias: [W], or None.
        tied: if these are the embeddings.
    """

    network: nn.Module
    config: Any
    embeddings: Tensor
    output: Tensor
    bias: Tensor | None
    tied: bool


def read_language_model(name: str, lora_rank: int, lora_alpha: float) -> LanguageModel:
    """The model in a folder or a .gguf file.

    On torch's `meta` device its shapes alone are made, and no weights are read.

    Args:
        name: the folder or the file.
        lora_rank: of the adapters that are put into it; 0: none.
        lora_alpha: their scale, times the rank.

    Raises:
        ConfigError: there is none, it is of a kind that cannot be used, or weights are missing.
        MissingExtraError: a package is not installed.
    """
    path = Path(name)
    if not name:
        raise ConfigError(f"{FLAG}: give a folder that transformers reads, or a .gguf file")
    if not path.exists():
        raise ConfigError(f"{FLAG}: {name}: no such folder or file; nothing is downloaded")
    more = {"peft": lora_rank, "gguf": path.suffix == ".gguf"}
    for package in ("transformers", *(each for each, needed in more.items() if needed)):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "lm", f"{FLAG} {name}")
    whole = _whole(path)
    network, head = whole.base_model, whole.get_output_embeddings()
    embeddings = network.get_input_embeddings().weight.detach()
    if head is None or head.weight.shape != embeddings.shape:
        raise ConfigError(f"{FLAG}: {name}: its output layer has another size than its embeddings")
    network.set_input_embeddings(nn.Identity())
    if lora_rank:
        _adapt(network, lora_rank, lora_alpha)
    bias = None if head.bias is None else head.bias.detach()
    tied = bool(getattr(whole.config, "tie_word_embeddings", False))
    return LanguageModel(network, whole.config, embeddings, head.weight.detach(), bias, tied)


def _whole(path: Path) -> Any:
    """The library's model in a folder or a .gguf file, with all its weights.

    Raises:
        ConfigError: as `read_language_model`.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported
    from huggingface_hub import errors
    from transformers import AutoConfig, AutoModelForCausalLM

    folder, options = str(path), dict[str, Any](local_files_only=True)
    if path.suffix == ".gguf":
        folder, options["gguf_file"] = str(path.parent), path.name
    damaged = getattr(errors, "StrictDataclassError", ValueError)  # older versions have none
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars and reports
            if torch.get_default_device().type == "meta":
                config = AutoConfig.from_pretrained(folder, **options)
                return AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
            found: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, **options
            )
    except (*_UNREADABLE, damaged, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        first = (str(error).strip().splitlines() or [""])[0]
        raise ConfigError(f"{FLAG}: {path} holds no language model: {first}") from error
    whole, report = found
    lacking = sorted([*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])])
    if lacking:  # the library draws them at random
        raise ConfigError(
            f"{FLAG}: {path} lacks {len(lacking)} weights of a {type(whole).__name__}, or has them "
            f"in another shape: {', '.join(lacking[:3])}{', ...' * (len(lacking) > 3)}; "
            "give a folder with the whole model"
        )
    return whole


def _adapt(network: nn.Module, rank: int, alpha: float) -> None:
    """Puts adapters into every linear layer, which are trained in their place."""
    from peft import LoraConfig, inject_adapter_in_model

    names = {
        name.rpartition(".")[2]
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
    }
    scale: Any = alpha  # declared as a whole number
    config = LoraConfig(r=rank, lora_alpha=scale, target_modules=sorted(names), lora_dropout=0.0)
    inject_adapter_in_model(config, network)
