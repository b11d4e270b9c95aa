"""Discriminators: they judge whole sequences, positive logits for real.

Padding never changes a score: what stands after a sequence's end is never read.

Shapes: B sequences, T tokens, E embedding, F filters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences

__all__ = ["BiLSTMDiscriminator", "CNNDiscriminator", "Discriminator"]

PAPER_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
PAPER_FILTERS = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)


class Discriminator(nn.Module, ABC):
    """The contract: ``forward(sequences) -> logits [B]``, or [B, T] with ``per_token = True``.

    A discriminator of your own needs `embedding` and `forward_embedded`.
    """

    per_token = False
    embedding: nn.Embedding

    def forward(self, sequences: Sequences) -> Tensor:
        """Logits [B], positive for real."""
        embeddings = self.embedding(sequences.tokens)
        return self.forward_embedded(embeddings, sequences.lengths, sequences.condition)

    @abstractmethod
    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits of sequences given by embeddings.

        For gradient penalties, saliency and generators that relax their tokens.

        Args:
            embeddings: [B, T, E].
            lengths: int64 [B], tokens of each sequence; what comes after is not read.
            condition: a pytree of tensors, batch first, or None.
        """


class CNNDiscriminator(Discriminator):
    """The SeqGAN paper's discriminator: convolutions of many widths, max over time, highway.

    Kim 2014 with the highway layer of Srivastava et al. 2015 (Yu et al. 2017, section 3 and
    appendix). Each sequence is followed by (largest width - 1) zero embeddings of its own and
    windows beyond them do not count, so that any length can be judged.

    Args:
        vocab_size: number of token ids.
        embedding: E.
        widths: filter widths in tokens.
        filters: number of filters of each width.
        dropout: probability of dropping a feature in training.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding: int = 64,
        widths: tuple[int, ...] | list[int] = PAPER_WIDTHS,
        filters: tuple[int, ...] | list[int] = PAPER_FILTERS,
        dropout: float = 0.25,
    ):
        super().__init__()
        if len(widths) != len(filters) or not widths:
            raise ValueError(f"{len(widths)} widths but {len(filters)} numbers of filters")
        self.arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding, count, width) for width, count in zip(widths, filters, strict=True)
        )
        total = sum(filters)
        self.highway = nn.Linear(total, total)
        self.gate = nn.Linear(total, total)
        nn.init.constant_(self.gate.bias, -2.0)  # begins by carrying its input through
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(total, 1)
        self.widths = tuple(widths)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B] of embedded sequences."""
        widest = max(self.widths)
        places = torch.arange(embeddings.shape[1], device=lengths.device)
        inside = places[None, :] < lengths[:, None]
        own = embeddings.masked_fill(~inside[..., None], 0.0).transpose(1, 2)
        padded = nn.functional.pad(own, (0, widest - 1))
        pooled = [
            self._pool(convolution(padded), lengths + widest - width)
            for width, convolution in zip(self.widths, self.convolutions, strict=True)
        ]
        features = torch.cat(pooled, dim=1)
        gate = self.gate(features).sigmoid()
        features = gate * self.highway(features).relu() + (1 - gate) * features
        return self.output(self.dropout(features))[:, 0]

    @staticmethod
    def _pool(windows: Tensor, counts: Tensor) -> Tensor:
        """Largest activation [B, F] among the first `counts` [B] windows of [B, F, W]."""
        places = torch.arange(windows.shape[2], device=counts.device)
        beyond = places[None, :] >= counts[:, None]
        return windows.masked_fill(beyond[:, None, :], -torch.inf).amax(2).relu()


class BiLSTMDiscriminator(Discriminator):
    """A bidirectional LSTM, its outputs pooled by mean and maximum over a sequence's tokens.

    Regularised by dropout and weight decay, it memorises its real sequences more slowly than the
    CNN does (benchmarks/results/discriminators-oracle20.json).

    Args:
        vocab_size: number of token ids.
        embedding: E.
        hidden: units of each direction.
        dropout: probability of dropping an embedding unit or a pooled feature in training.
    """

    def __init__(
        self, vocab_size: int, embedding: int = 32, hidden: int = 128, dropout: float = 0.5
    ):
        super().__init__()
        self.arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.ahead = nn.LSTM(embedding, hidden, batch_first=True)
        self.back = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(4 * hidden, 1)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B] of embedded sequences."""
        inputs = self.dropout(embeddings)
        places = torch.arange(inputs.shape[1], device=lengths.device)[None, :]
        inside = places < lengths[:, None]
        # Each sequence is turned around within its own length; the padding stays behind it.
        turned = torch.where(inside, lengths[:, None] - 1 - places, places)[..., None]
        back = self.back(inputs.gather(1, turned.expand_as(inputs)))[0]
        back = back.gather(1, turned.expand_as(back))
        states = torch.cat([self.ahead(inputs)[0], back], dim=2)
        mask = inside[..., None]
        mean = states.masked_fill(~mask, 0.0).sum(1) / lengths[:, None].clamp(min=1)
        largest = states.masked_fill(~mask, -torch.inf).amax(1)
        return self.output(self.dropout(torch.cat([mean, largest], dim=1)))[:, 0]
