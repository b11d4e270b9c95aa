"""The SeqGAN paper's discriminator.

Shapes: B sequences, T tokens, E embedding, F filters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rollout import Sequences
from rollout.devices import autocast, reads_synchronise
from rollout.sequences import inside

from ...config import CNN
from ...data.spec import TokenSpec
from .base import Discriminator, Window, multiplies_bfloat16
from .pooling import exact_logits, exact_outputs
from .spectral import normalise
from .windows import Windows, window_max, window_place

__all__ = ["CNNDiscriminator"]

_BLOCK = 1 << 25
"""Pooled features held at once where sequences are scored (128 MB)."""


class CNNDiscriminator(Discriminator):
    """The SeqGAN paper's discriminator: convolutions of many widths, max over time, highway.

    Kim 2014 with the highway layer of Srivastava et al. 2015 (Yu et al. 2017, section 3 and
    appendix). Each sequence is followed by (largest width - 1) zero embeddings of its own and
    windows beyond them do not count, so that any length can be judged.

    Args:
        settings: widths and numbers of filters, embedding, dropout.
        spec: the token ids.
    """

    reads = ("label", "source")

    def __init__(self, settings: CNN, spec: TokenSpec):
        super().__init__(settings, spec)
        self.representations = settings.representations
        size = settings.representations * settings.embedding
        self.embedding = nn.Embedding(spec.vocab_size, size)
        self.classes = spec.labels + 1 if settings.label_classes and spec.labels else 0
        # The logit compares the own label with all other classes: it is not log p_data / p_policy.
        self.calibrated = not self.classes
        if not self.classes:  # which stand for the label
            self.read_labels(spec, size)
        self.read_source(spec, size)
        self.widths = tuple(settings.widths)
        counts = [max(1, round(count * settings.filter_share)) for count in settings.filters]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(settings.embedding, count, width)
            for width, count in zip(self.widths, counts, strict=True)
        )
        total = sum(counts)
        self.highway = nn.Linear(total, total)
        self.gate = nn.Linear(total, total)
        nn.init.constant_(self.gate.bias, -2.0)  # begins by carrying its input through
        self.dropout = nn.Dropout(settings.dropout)
        self.output, self.output_l2 = nn.Linear(total, self.classes or 1), settings.output_l2
        self.views = settings.representations if settings.loss_of_each else 1
        if settings.spectral_norm:
            normalise(self)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B] of embedded sequences."""
        return self._log_odds(self.features_embedded(embeddings, lengths, condition), condition)

    def views_embedded(self, embeddings: Tensor, lengths: Tensor, condition: Any = None) -> Tensor:
        """Logits [B, K] by each of K representations, or [B, 1]."""
        if self.views == 1:
            return self.forward_embedded(embeddings, lengths, condition)[:, None]
        return self.judged(self._features_of_each(embeddings, lengths, condition))

    def class_logits(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """Outputs [B, L + 1]: for each of L labels one, and one for generated sequences."""
        return self._outputs(self.features_embedded(embeddings, lengths))

    def features_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Features [B, F] of embedded sequences: the outputs of the highway layer."""
        # The output layer is linear: the mean of the features has the mean of the logits.
        return self._features_of_each(embeddings, lengths, condition).mean(1)

    def _features_of_each(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Features [B, K, F] by each of K representations."""
        embeddings = self.labelled(embeddings, condition)
        own = embeddings.masked_fill(~inside(lengths, embeddings.shape[1])[..., None], 0.0)
        if self.representations > 1:  # each as a sequence of its own
            parts = own.unflatten(2, (self.representations, -1)).transpose(1, 2).flatten(0, 1)
            own, lengths = parts, lengths.repeat_interleave(self.representations)
        features = self.combined(
            [window_max(own, lengths, convolution.weight) for convolution in self._each()]
        )
        return features.unflatten(0, (-1, self.representations))

    @torch.no_grad()
    def log_odds(self, sequences: Sequences, batch_size: int, bfloat16: bool = False) -> Tensor:
        """Logits [B] of any number of sequences, from tables of responses on a CPU."""
        # The tables hold the responses to tokens alone.
        several = self.representations > 1
        if self.conditional or several or reads_synchronise(sequences.device):
            return super().log_odds(sequences, batch_size, bfloat16)
        dtype = torch.bfloat16 if bfloat16 else self.embedding.weight.dtype
        logits = []
        for block in sequences.split(max(1, _BLOCK // self.output.in_features)):
            windows = Windows(block, self.embedding.weight)
            if not windows.pay:
                logits.append(super().log_odds(block, batch_size, bfloat16))
                continue
            largest = [windows.largest(each.weight, dtype) for each in self._each()]
            half = bfloat16 and multiplies_bfloat16(sequences.device)
            with autocast(sequences.device, torch.bfloat16 if half else None):
                for part in zip(*(each.split(batch_size) for each in largest), strict=True):
                    logits.append(self.judged(self.combined(part)).float())
        return torch.cat(logits)

    def windows(self, sequences: Sequences, most: int = 8) -> list[list[Window]]:
        """The windows that the log-odds rest on most: each filter's largest response is one."""
        if self.representations > 1:
            return super().windows(sequences, most)
        with torch.no_grad():
            own = self.labelled(self.embedding(sequences.tokens), sequences.condition)
            own = own.masked_fill(~sequences.mask[..., None], 0.0)
            found = [window_place(own, sequences.lengths, each.weight) for each in self._each()]
        with torch.enable_grad():
            largest = [responses.clone().requires_grad_(True) for responses, _ in found]
            logits = self._log_odds(self.combined(largest), sequences.condition)
            slopes = torch.autograd.grad(logits.sum(), largest)
        shares: list[dict[tuple[int, int], float]] = [{} for _ in range(len(sequences))]
        for width, (responses, starts), slope in zip(self.widths, found, slopes, strict=True):
            products = (slope * responses).tolist()
            for row, (places, values) in enumerate(zip(starts.tolist(), products, strict=True)):
                for place, value in zip(places, values, strict=True):
                    shares[row][place, width] = shares[row].get((place, width), 0.0) + value
        lengths = sequences.lengths.tolist()
        return [
            [
                Window(start, min(width, length - start), round(share, 5))
                for (start, width), share in sorted(each.items(), key=lambda x: -abs(x[1]))[:most]
                if share
            ]
            for each, length in zip(shares, lengths, strict=True)
        ]

    def _each(self) -> Iterator[nn.Conv1d]:
        return cast(Iterator[nn.Conv1d], iter(self.convolutions))

    def judged(self, features: Tensor) -> Tensor:
        """Logits [...] of features [..., F], of a network without classes."""
        assert not self.classes, "its log-odds depend on the label"
        return exact_logits(self.dropout(features), self.output)

    def _log_odds(self, features: Tensor, condition: Any) -> Tensor:
        """Logits [B] of features [B, F]; with classes, of the own label against all others."""
        if not self.classes:
            return self.judged(features)
        outputs = self._outputs(features)
        own = functional.one_hot(self.part(condition, "label"), self.classes).bool()
        mine = outputs.masked_fill(~own, 0.0).sum(1)
        return mine - outputs.masked_fill(own, -torch.inf).logsumexp(1)

    def _outputs(self, features: Tensor) -> Tensor:
        """All outputs [B, classes] of features [B, F]."""
        return exact_outputs(self.dropout(features), self.output)

    def own_penalty(self) -> Tensor | None:
        """The SeqGAN code's penalty on the output layer, ``share (|w|^2 + b^2) / 4``.

        There it is half the squares of two columns and biases, one per class; w and b are their
        differences, and the smallest two with these have a quarter of the squares.
        """
        if not self.output_l2:
            return None
        layer = self.output
        return self.output_l2 / 4 * (layer.weight.square().sum() + layer.bias.square().sum())

    def combined(self, largest: Sequence[Tensor]) -> Tensor:
        """Features [B, F] from the largest response [B, F] to the sequence's windows, by width."""
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
        return gate * changed + (1 - gate) * features
