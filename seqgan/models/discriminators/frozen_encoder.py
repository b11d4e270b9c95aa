"""A small head on a frozen encoder of texts as discriminator."""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import Self

from rollout.devices import autocast

from ...config.discriminators.frozen_encoder import FrozenEncoder
from ...config.names import EMBEDDERS
from ...data.spec import TokenSpec
from ...metrics.embedders import load_embedder
from ..adapters import PartlyTrained
from ..text_encoder import TextEncoder
from .text import TextDiscriminator

__all__ = ["FrozenEncoderDiscriminator"]

FLAG = "--discriminator.encoder"
MOST = 50_000
"""Texts whose vectors are kept: about 100 MB at a width of 512."""


class FrozenEncoderDiscriminator(PartlyTrained, TextDiscriminator):
    """A head on the vectors of an encoder that is never trained; its state is that of the head.

    In training each text is encoded by itself, so its vector depends on no neighbours in a batch
    and can be kept, and a resumed run has the same: training sequences come again and again.

    Args:
        settings: name or place of the encoder, sizes of the head.
        spec: the token ids.
    """

    def __init__(self, settings: FrozenEncoder, spec: TokenSpec):
        super().__init__(settings, spec)
        name = settings.encoder
        self._known: dict[str, Tensor] = {}
        if name in EMBEDDERS:  # a missing package is an error now, not after hours
            with torch.device("cpu"):
                width = load_embedder(name, FLAG)(["a text"]).shape[1]
        else:
            self.encoder = TextEncoder(name, FLAG).requires_grad_(False)
            width = self.encoder.width
        self.finish(width, settings.hidden, settings.dropout, settings.spectral_norm)
        self.keep_trained()

    def vectors(self, texts: list[str]) -> Tensor:
        """The vectors [B, E] of texts, without gradients."""
        device = next(self.head.parameters()).device
        if not self.training:
            return self._encoded(texts).to(device)
        for text in dict.fromkeys(texts):
            if text not in self._known:
                if len(self._known) >= MOST:
                    del self._known[next(iter(self._known))]
                self._known[text] = self._encoded([text])[0].cpu()
        return torch.stack([self._known[text] for text in texts]).to(device)

    @torch.no_grad()
    def _encoded(self, texts: list[str]) -> Tensor:
        """The vectors [B, E], made anew."""
        settings = self.settings
        assert isinstance(settings, FrozenEncoder)
        if settings.encoder in EMBEDDERS:
            return torch.from_numpy(load_embedder(settings.encoder, FLAG)(texts))
        with autocast(next(self.head.parameters()).device, None):
            found: Tensor = self.encoder(texts)
        return found

    def train(self, mode: bool = True) -> Self:
        """As of any module; the encoder stays in evaluation mode."""
        super().train(mode)
        for part in self.children():
            if isinstance(part, TextEncoder):
                part.eval()
        return self
