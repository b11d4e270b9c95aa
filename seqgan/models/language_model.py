"""Causal language models of the library transformers, from files; nothing is downloaded."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ConfigError, MissingExtraError

__all__ = ["LanguageModel", "read_language_model"]

FLAG = "--generator.model"


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
        ConfigError: there is none, or it is of a kind that cannot be used.
        MissingExtraError: a package is not installed.
    """
    path = Path(name)
    if not name:
        raise ConfigError(f"{FLAG}: give a folder that transformers reads, or a .gguf file")
    if not path.exists():
        raise ConfigError(f"{FLAG}: {name}: no such folder or file; nothing is downloaded")
    for package in ("transformers", *(["peft"] if lora_rank else [])):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "lm", f"{FLAG} {name}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported
    from transformers import AutoConfig, AutoModelForCausalLM

    options: dict[str, Any] = {"local_files_only": True}
    folder = path
    if path.suffix == ".gguf":
        folder, options["gguf_file"] = path.parent, path.name
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars and reports
            if torch.get_default_device().type == "meta":
                config = AutoConfig.from_pretrained(str(folder), **options)
                whole: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            else:
                whole = AutoModelForCausalLM.from_pretrained(
                    str(folder), dtype=torch.float32, **options
                )
    except Exception as error:  # the library raises many kinds
        first = (str(error).strip().splitlines() or [""])[0]
        raise ConfigError(f"{FLAG}: {name} holds no language model: {first}") from error
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
