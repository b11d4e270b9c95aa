"""Discriminators: they judge whole sequences, positive logits for real.

Padding never changes a score: what stands after a sequence's end is never read.

Shapes: B sequences, T tokens, E embedding, F filters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from rollout import Sequences
from rollout.devices import autocast, reads_synchronise

from .recurrent import LSTM
from .windows import Windows, window_max

__all__ = ["BiLSTMDiscriminator", "CNNDiscriminator", "Discriminator"]

PAPER_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
PAPER_FILTERS = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)
_BFLOAT16_CPUS = ("avx512_bf16", "amx_tile")
_BLOCK = 1 << 25
"""Pooled features held at once where sequences are scored (128 MB)."""


def multiplies_bfloat16(device: torch.device) -> bool:
    """If the device has instructions for products of bfloat16; emulation is far slower."""
    if device.type != "cpu":
        return True
    asked = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in _BFLOAT16_CPUS)
    return any(supported is not None and supported() for supported in asked)


class Discriminator(nn.Module, ABC):
    """The contract: ``forward(sequences) -> logits [B]``, or [B, T] with ``per_token = True``.

    A discriminator of your own needs `embedding` and `forward_embedded`. With ``per_token = True``,
    one that looks at later tokens (a bidirectional one) sets ``causal = False``, and its reward is
    the sum over the tokens.
    """

    per_token = False
    causal = True
    embedding: nn.Embedding

    def forward(self, sequences: Sequences) -> Tensor:
        """Logits [B], positive for real."""
        embeddings = self.embedding(sequences.tokens)
        return self.forward_embedded(embeddings, sequences.lengths, sequences.condition)

    @torch.no_grad()
    def score(self, sequences: Sequences, batch_size: int, bfloat16: bool = False) -> Tensor:
        """Logits [B] of any number of sequences, without gradients.

        Args:
            sequences: what is judged.
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
        places = torch.arange(embeddings.shape[1], device=lengths.device)
        inside = places[None, :] < lengths[:, None]
        own = embeddings.masked_fill(~inside[..., None], 0.0)
        return self._judge(
            [window_max(own, lengths, convolution.weight) for convolution in self._each()]
        )

    @torch.no_grad()
    def score(self, sequences: Sequences, batch_size: int, bfloat16: bool = False) -> Tensor:
        """Logits [B] of any number of sequences, from tables of responses on a CPU."""
        if reads_synchronise(sequences.device):
            return super().score(sequences, batch_size, bfloat16)
        dtype = torch.bfloat16 if bfloat16 else self.embedding.weight.dtype
        logits = []
        for block in sequences.split(max(1, _BLOCK // self.output.in_features)):
            windows = Windows(block, self.embedding.weight)
            if not windows.pay:
                logits.append(super().score(block, batch_size, bfloat16))
                continue
            largest = [windows.largest(each.weight, dtype) for each in self._each()]
            half = bfloat16 and multiplies_bfloat16(sequences.device)
            with autocast(sequences.device, torch.bfloat16 if half else None):
                for part in zip(*(each.split(batch_size) for each in largest), strict=True):
                    logits.append(self._judge(part).float())
        return torch.cat(logits)

    def _each(self) -> Iterator[nn.Conv1d]:
        return cast(Iterator[nn.Conv1d], iter(self.convolutions))

    def _judge(self, largest: Sequence[Tensor]) -> Tensor:
        """Logits [B] from the largest response [B, F] to the sequence's windows, by width."""
        pooled = []
        for convolution, width, responses in zip(self._each(), self.widths, largest, strict=True):
            # But for the widest filter, there are windows of the zeros alone, with response 0.
            if width < max(self.widths):
                responses = responses.clamp(min=0.0)
            assert convolution.bias is not None
            pooled.append((responses + convolution.bias).relu())
        features = torch.cat(pooled, dim=1)
        # Mixed precision pays in the two large products. Their sums and the last product, of
        # which the logit's own error would come, stay as the features are.
        gate = self.gate(features).to(features.dtype).sigmoid()
        changed = self.highway(features).to(features.dtype).relu()
        features = gate * changed + (1 - gate) * features
        with autocast(features.device, None):
            return self.output(self.dropout(features))[:, 0]


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
        self.ahead = LSTM(embedding, hidden, batch_first=True)
        self.back = LSTM(embedding, hidden, batch_first=True)
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
        states = states.to(torch.promote_types(states.dtype, torch.float32))
        mask = inside[..., None]
        mean = states.masked_fill(~mask, 0.0).sum(1) / lengths[:, None].clamp(min=1)
        largest = states.masked_fill(~mask, -torch.inf).amax(1)
        with autocast(states.device, None):  # see `CNNDiscriminator`
            return self.output(self.dropout(torch.cat([mean, largest], dim=1)))[:, 0]
