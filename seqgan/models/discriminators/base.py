"""The type of all discriminators: log-odds of whole sequences, positive for real.

Padding never changes them: nothing after a sequence's end is read.

Shapes: B sequences, T tokens, E embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rollout import DiscriminatorReward, Sequences
from rollout.devices import autocast
from rollout.sequences import refuse_condition

from ...config import DiscriminatorConfig
from ...data.codec import Codec
from ...data.spec import TokenSpec
from ..conditions import ReadsConditions, without_noise

__all__ = ["Discriminator", "Window", "multiplies_bfloat16", "sequence_log_odds"]

_BFLOAT16_CPUS = ("avx512_bf16", "amx_tile")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Tells if the device has instructions for products of bfloat16; emulation is far slower."""
    if device.type != "cpu":
        return True
    asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in _BFLOAT16_CPUS)
    return any(supported is not None and supported() for supported in asked)


def sequence_log_odds(judge: nn.Module) -> Callable[[Sequences], Tensor]:
    """A function that gives logits [B] of sequences: sums, where `judge` judges every token."""
    log_odds = DiscriminatorReward(judge, "log_odds")
    return (lambda sequences: log_odds(sequences).sum(1)) if log_odds.per_token else log_odds


class Window(NamedTuple):
    """A piece of a sequence that a convolution has responded to.

    Attributes:
        start: its first token, from 0.
        width: its tokens.
        share: what the filters that respond to it add to the log-odds, to first order.
    """

    start: int
    width: int
    share: float


class Discriminator(ReadsConditions, nn.Module, ABC):
    """The contract: ``forward(sequences) -> logits [B]``, or [B, T] with ``per_token = True``.

    A discriminator of your own makes its `embedding` and defines `forward_embedded`. With
    ``per_token = True``, one that looks at later tokens (a bidirectional one) sets
    ``causal = False``, and its reward is the sum over the tokens. One that reads conditions names
    their parts in `reads`; if it reads labels, `labelled` comes first in `forward_embedded`.

    Args:
        settings: of the architecture.
        spec: the token ids.

    Attributes:
        embedding: of the tokens.
        per_token: if the logits are [B, T].
        views: judgements of a sequence of which a loss is taken each, see `views_embedded`.
        classes: outputs of a network with a class for each label and one, the last, for generated
            sequences; 0: it has none.
        reads_text: if it judges the text of a sequence, by a codec: then it has no embeddings of
            tokens, and what needs them is refused (see `text.TextDiscriminator`).
        causal: if a token's logit depends on the tokens up to it only (with `per_token`).
        calibrated: if the logits are log-odds; figures that need log-odds are left out otherwise.
        settings: as given; saved with the model.
        spec: as given; saved with the model.
    """

    per_token = False
    reads_text = False
    causal = True
    calibrated = True
    views = 1
    classes = 0
    embedding: nn.Embedding

    def __init__(self, settings: DiscriminatorConfig, spec: TokenSpec):
        super().__init__()
        self.settings, self.spec = settings, spec
        self.announce(spec)

    def attach(self, codec: Codec) -> None:
        """Gives it the codec of the data, which discriminators of tokens have no use for."""

    def forward(self, sequences: Sequences) -> Tensor:
        """Logits [B], positive for real.

        Raises:
            rollout.ConditionError: the sequences have a condition that it would not read.
        """
        sequences = without_noise(sequences)
        refuse_condition(self, sequences.condition)
        embeddings = self.embedding(sequences.tokens)
        return self.forward_embedded(embeddings, sequences.lengths, sequences.condition)

    def features(self, sequences: Sequences) -> Tensor:
        """Features [B, H] of whole sequences, from which `judged` makes the logits."""
        sequences = without_noise(sequences)
        refuse_condition(self, sequences.condition)
        embeddings = self.embedding(sequences.tokens)
        return self.features_embedded(embeddings, sequences.lengths, sequences.condition)

    def features_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Features [B, H] of sequences given by embeddings; see `forward_embedded`."""
        raise NotImplementedError(f"{type(self).__name__} has no features")

    def judged(self, features: Tensor) -> Tensor:
        """Logits [B] of features [B, H]."""
        raise NotImplementedError(f"{type(self).__name__} has no features")

    def views_embedded(self, embeddings: Tensor, lengths: Tensor, condition: Any = None) -> Tensor:
        """Logits [B, K] of K views of each sequence, whose mean is its logit."""
        return self.forward_embedded(embeddings, lengths, condition)[:, None]

    def class_logits(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """Outputs [B, classes] of sequences given by embeddings, before a softmax."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def own_penalty(self) -> Tensor | None:
        """A term of the network's own in its loss, such as a penalty on weights; None: none."""
        return None

    def labelled(self, embeddings: Tensor, condition: Any) -> Tensor:
        """Embeddings [B, T, E] with that of each sequence's label added; as they are without."""
        for vector in self.condition_vectors(condition):
            embeddings = embeddings + vector[:, None]
        return embeddings

    @torch.no_grad()
    def log_odds(self, sequences: Sequences, batch_size: int, bfloat16: bool = False) -> Tensor:
        """Logits [B] of any number of sequences, without gradients.

        Args:
            sequences: the sequences.
            batch_size: sequences in one pass of `forward`.
            bfloat16: numbers of 16 bits where that saves time.
        """
        half = bfloat16 and multiplies_bfloat16(sequences.device)
        with autocast(sequences.device, torch.bfloat16 if half else None):
            return torch.cat([self(part) for part in sequences.split(batch_size)]).float()

    @abstractmethod
    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits of sequences given by embeddings.

        For gradient penalties, saliency and generators that relax their tokens. There are
        gradients in evaluation mode too; second derivatives of a recurrent discriminator need
        ``torch.backends.cudnn.flags(enabled=False)`` around the forward pass, since cuDNN has none.

        Args:
            embeddings: [B, T, E].
            lengths: int64 [B], tokens of each sequence; what comes after is not read.
            condition: a pytree of tensors, batch first, or None.
        """

    def windows(self, sequences: Sequences, most: int = 8) -> list[list[Window]]:
        """The windows of each sequence that the log-odds rest on most; of a CNN.

        Args:
            sequences: B sequences.
            most: windows per sequence.

        Returns:
            For each sequence its windows, those with the largest shares first; empty for a network
            without windows.
        """
        return [[] for _ in range(len(sequences))]

    def attention_weights(self, sequences: Sequences) -> Tensor | None:
        """Attention weights [B, layers, heads, T, T], rows sum to 1; None without attention."""
        return None

    def source_weights(self, sequences: Sequences) -> Tensor | None:
        """None: no discriminator attends to a source."""
        return None
