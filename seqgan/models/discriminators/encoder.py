"""A pretrained encoder of texts as discriminator, fine-tuned."""

from __future__ import annotations

from torch import Tensor

from ...config.discriminators.encoder import Encoder
from ...data.spec import TokenSpec
from ..adapters import PartlyTrained
from ..text_encoder import TextEncoder
from .text import TextDiscriminator

__all__ = ["EncoderDiscriminator"]


class EncoderDiscriminator(PartlyTrained, TextDiscriminator):
    """An encoder of the library transformers with a head, trained whole or by LoRA.

    With LoRA its state is that of the adapters and of the head.

    Args:
        settings: place of the encoder, adapters, sizes of the head.
        spec: the token ids.
    """

    def __init__(self, settings: Encoder, spec: TokenSpec):
        super().__init__(settings, spec)
        flag = "--discriminator.encoder"
        self.encoder = TextEncoder(settings.encoder, flag, settings.lora_rank, settings.lora_alpha)
        self.finish(self.encoder.width, settings.hidden, settings.dropout, settings.spectral_norm)
        if settings.lora_rank:
            self.keep_trained()

    def vectors(self, texts: list[str]) -> Tensor:
        """The vectors [B, E] of texts."""
        found: Tensor = self.encoder(texts)
        return found
