"""Causal language models of the library transformers, from files; nothing is downloaded."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rollout import Policy, Sequences
from rollout.completion import policy_device
from rollout.devices import is_out_of_memory
from rollout.modules import evaluating

from ..data.pretrained_files import load_whole, quiet, read_by_library
from ..errors import ConfigError
from .adapters import adapt

__all__ = ["FLAG", "LanguageModel", "read_language_model", "require_steps", "wrong_kind"]

FLAG = "--generator.model"
_CHECKED = 6
"""Tokens of the sequence by which a model's steps are checked."""


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
    if not _alike(found, wanted):
        raise wrong_kind(name, whole.config, "scale their embeddings or logits")


def wrong_kind(name: str, config: Any, words: str) -> ConfigError:
    """The error about a model of a type that cannot be used here.

    Args:
        name: the folder or the file.
        config: of the library.
        words: a reason, with models of the type as its subject.
    """
    return ConfigError(
        f"{FLAG}: {name}: models of the type {config.model_type!r} {words}, "
        "which is not done here; give a model of another type, such as gpt2 or llama"
    )


@torch.no_grad()
def require_steps(policy: Policy, name: str, config: Any) -> None:
    """Requires that single steps, and one after a branch, find what one pass over a sequence finds.

    Models of some types read masks or positions in a way of their own, or keep another state than
    keys and values; to tell them apart by name would need a list of all types.

    Args:
        policy: made of the model.
        name: the folder or the file.
        config: of the library.

    Raises:
        ConfigError: they find something else, or the model cannot be called so.
    """
    length = min(_CHECKED, policy.max_length)
    if length == 1:
        return
    tokens = torch.arange(length, device=policy_device(policy))[None] % policy.vocab_size
    batch = Sequences(tokens, torch.full_like(tokens[:, 0], length))
    # Branches of two lengths: between the shorter one and what follows lie columns that it skips.
    places = torch.tensor([(length - 1) // 2, length - 2], device=tokens.device)
    try:
        with evaluating(policy), quiet():
            wanted, steps = policy.logits(batch), Policy.logits(policy, batch)
            state = policy.branch(policy.prefix_states(batch), torch.zeros_like(places), places)
            after, _ = policy.step(tokens[0, places], state)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise wrong_kind(name, config, f"cannot be asked for single steps ({first})") from error
    if not _alike(steps, wanted) or not _alike(after, wanted[0, places + 1]):
        raise wrong_kind(name, config, "answer single steps otherwise than whole sequences")


def _alike(found: Tensor, wanted: Tensor) -> bool:
    """If logits are the same but for rounding; -inf where tokens are forbidden."""
    finite = wanted.isfinite()
    scale = float(wanted[finite].abs().max()) if bool(finite.any()) else 0.0
    return torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 * scale)
