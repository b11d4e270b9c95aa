"""Causal language models of the library transformers, from files; nothing is downloaded."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..data.pretrained_files import load_whole, read_by_library
from ..errors import ConfigError
from .adapters import adapt

__all__ = ["FLAG", "LanguageModel", "read_language_model"]

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
        ConfigError: there is none, it is of a kind that cannot be used, or weights are missing.
        MissingExtraError: a package is not installed.
    """
    packages = ("peft",) if lora_rank else ()
    whole = load_whole("AutoModelForCausalLM", name, FLAG, "language model", packages)
    network, head = whole.base_model, whole.get_output_embeddings()
    embeddings = network.get_input_embeddings().weight.detach()
    if head is None or head.weight.shape != embeddings.shape:
        raise ConfigError(f"{FLAG}: {name}: its output layer has another size than its embeddings")
    if embeddings.device.type != "meta":
        _require_plain(name, whole)
    network.set_input_embeddings(nn.Identity())
    if lora_rank:
        adapt(network, lora_rank, lora_alpha)
    bias = None if head.bias is None else head.bias.detach()
    tied = bool(getattr(whole.config, "tie_word_embeddings", False))
    return LanguageModel(network, whole.config, embeddings, head.weight.detach(), bias, tied)


@torch.no_grad()
def _require_plain(name: str, whole: Any) -> None:
    """Requires that embeddings, network and output layer are all that the model does.

    Some models scale their embeddings, or scale or cap their logits, outside these parts.

    Raises:
        ConfigError: its logits are others.
    """
    network, head = whole.base_model, whole.get_output_embeddings()
    weights = network.get_input_embeddings().weight
    tokens = torch.arange(min(8, len(weights)), device=weights.device)[None]
    with read_by_library(name, FLAG, "language model"):
        wanted = whole(input_ids=tokens, use_cache=False).logits
        found = head(network(inputs_embeds=weights[tokens], use_cache=False).last_hidden_state)
    if not torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max())):
        kind = getattr(whole.config, "model_type", type(whole).__name__)
        raise ConfigError(
            f"{FLAG}: {name}: models of the type {kind!r} scale their embeddings or logits, "
            "which is not done here; give a model of another type, such as gpt2 or llama"
        )
