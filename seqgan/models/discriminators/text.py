"""Discriminators that judge the text of a sequence, whatever tokens it was generated in.

So the generator and the discriminator may have tokenizers of their own: the codec of the data makes
a text of the generator's tokens, and the discriminator's encoder reads it. Texts are made on the
host, so a GPU waits for them, and there is no gradient with respect to the tokens.

Shapes: B sequences, E width of the encoder.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences
from rollout.devices import autocast
from rollout.sequences import refuse_condition

from ...config.discriminators.base import DiscriminatorConfig
from ...data.codec import Codec
from ...data.spec import TokenSpec
from ...errors import ConfigError
from ..conditions import without_noise
from .base import Discriminator
from .spectral import normalise

__all__ = ["TextDiscriminator", "text_head"]


def text_head(width: int, hidden: int, dropout: float) -> nn.Sequential:
    """Layers from a text's vector [B, E] to its logit [B, 1].

    Args:
        width: E.
        hidden: units of the one hidden layer; 0: logistic regression.
        dropout: of the hidden units (of the vector, without any).
    """
    if not hidden:
        return nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, 1))
    hidden_layer = [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(nn.LayerNorm(width), *hidden_layer, nn.Linear(hidden, 1))


class TextDiscriminator(Discriminator):
    """A head on the vectors of texts; a subclass defines `vectors`.

    A label or a source sequence is a vector that is added to that of the text.

    Args:
        settings: of the architecture.
        spec: the token ids.
    """

    reads = ("label", "source")
    reads_text = True

    def __init__(self, settings: DiscriminatorConfig, spec: TokenSpec):
        super().__init__(settings, spec)
        self._codec: Codec | None = None

    def attach(self, codec: Codec) -> None:
        """Takes the codec that makes texts of token ids."""
        self._codec = codec

    def finish(self, width: int, hidden: int, dropout: float, spectral_norm: bool) -> None:
        """Makes what stands behind the encoder: the head, and the readers of conditions.

        Raises:
            ConfigError: a head without hidden units for texts that are asked for: it would add a
                number to the logit for each label, and see no text together with what was asked.
        """
        if not hidden and self.spec.condition:
            raise ConfigError(
                f"--discriminator.hidden: 0 is a logistic regression, which cannot see if a text "
                f"fits its {' and '.join(self.spec.condition)}; give the head hidden units"
            )
        self.read_labels(self.spec, width)
        self.read_source(self.spec, width)
        self.head = text_head(width, hidden, dropout)
        if spectral_norm:
            normalise(self.head)

    @abstractmethod
    def vectors(self, texts: list[str]) -> Tensor:
        """The vectors [B, E] of texts, on the model's device."""

    def forward(self, sequences: Sequences) -> Tensor:
        """Logits [B] of the texts of sequences, positive for real.

        Raises:
            ConfigError: no codec was given.
            rollout.ConditionError: the sequences have a condition that it would not read.
        """
        if self._codec is None:
            raise ConfigError(
                f"{type(self).__name__} reads texts; give it the codec of the tokens: attach(codec)"
            )
        sequences = without_noise(sequences)
        refuse_condition(self, sequences.condition)
        found = self.vectors(self._codec.texts(sequences))
        with autocast(found.device, None):  # the error of the logit would come from it
            found = found.to(torch.promote_types(found.dtype, torch.float32))
            for vector in self.condition_vectors(sequences.condition):
                found = found + vector
            logits: Tensor = self.head(found)
        return logits[:, 0]

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Refuses: a text has no embeddings of tokens.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{type(self).__name__} reads texts, so it has no gradient with respect to tokens; "
            "take a discriminator of tokens, bilstm say"
        )
