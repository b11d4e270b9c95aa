"""Encoders of texts of the library transformers, with their own tokenizers.

Shapes: B texts, S tokens of the encoder's, E width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..data.pretrained_files import load_whole, place_of, quiet, read_by_library
from ..errors import ConfigError
from .adapters import adapt

__all__ = ["TextEncoder"]


class TextEncoder(nn.Module):
    """From texts to the mean of the last layer's outputs over their tokens.

    On torch's `meta` device the shapes alone are made, and no weights are read.

    Args:
        name: a folder that transformers reads, or a .gguf file.
        flag: the setting that named it, for messages.
        lora_rank: of the adapters that are put into it; 0: none.
        lora_alpha: they count lora_alpha / lora_rank.

    Attributes:
        width: E.

    Raises:
        ConfigError: there is none, or the library cannot read it.
        MissingExtraError: a package is not installed.
    """

    def __init__(self, name: str, flag: str, lora_rank: int = 0, lora_alpha: float = 16.0):
        super().__init__()
        packages = ("peft",) if lora_rank else ()
        network = load_whole("AutoModel", name, flag, "encoder", packages, unused="pooler")
        folder, options = place_of(name, flag)
        from transformers import AutoTokenizer

        self.network: Any = network
        config = network.config
        with read_by_library(name, flag, "tokenizer of an encoder"), torch.device("cpu"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **options)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        width = getattr(config, "hidden_size", None)
        if width is None:
            raise ConfigError(f"{flag}: {name} holds no encoder of texts: it has no hidden_size")
        self.width = int(width)
        # Some configurations of the library say that there is no limit by a huge number.
        most = int(getattr(config, "max_position_embeddings", None) or 1 << 20)
        self._longest = min(most, int(self._tokenizer.model_max_length))
        if next(network.parameters()).device.type != "meta":  # before anything else is made
            with read_by_library(name, flag, "encoder of texts"), torch.no_grad():
                self(["a text", "another"])
        if lora_rank:
            adapt(self.network, lora_rank, lora_alpha)

    def forward(self, texts: list[str]) -> Tensor:
        """The vectors [B, E]; of a text that is too long, those of its beginning."""
        device = next(self.parameters()).device
        with quiet():
            found = self._tokenizer(
                texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
            )
        ids, mask = found["input_ids"].to(device), found["attention_mask"].to(device)
        if not ids.shape[1]:  # empty texts, and a tokenizer that adds nothing
            return torch.zeros(len(texts), self.width, device=device)
        states: Tensor = self.network(input_ids=ids, attention_mask=mask).last_hidden_state
        inside = mask[..., None].to(states.dtype)
        return (states * inside).sum(1) / inside.sum(1).clamp(min=1)
