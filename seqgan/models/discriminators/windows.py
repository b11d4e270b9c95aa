"""The largest response of each filter over the windows of a sequence: convolution, maximum.

One function in three forms, of which each device and task takes its fastest:

* `window_max`, for training: convolutions on a GPU. On a CPU a matrix product finds the best
  window of each filter, and the backward pass visits that window alone, where autograd would
  multiply out a gradient that is 0 at all the others.
* `Windows`, for scoring many sequences of few distinct tokens on a CPU: the response to a window
  is a sum over its tokens, so the response to each token at each place in the window is computed
  once, and looked up ever after.

A window begins at a token of the sequence and may reach beyond its end, into zeros. The bias is
left to the caller.

Shapes: B sequences, T tokens, E embedding, F filters, w width in tokens, D distinct tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rollout import Sequences
from rollout.devices import reads_synchronise

__all__ = ["Windows", "window_max", "window_place"]

_STARTS = 5
"""Window starts near the end that are multiplied together. The later a window starts, the fewer of
its tokens lie inside; the rest of the product is left out."""
_ROWS = 1024
"""Sequences looked up at once: their responses to one width stay in the cache."""
_TABLE = 32 << 20
"""Entries of a table of responses at most; wider ones are worked off in groups of filters."""


def window_max(embeddings: Tensor, lengths: Tensor, weight: Tensor) -> Tensor:
    """The largest response [B, F] to the windows that begin inside each sequence.

    Args:
        embeddings: [B, T, E], zeros after a sequence's end.
        lengths: int64 [B], at least 1.
        weight: [F, E, w], as of ``torch.nn.Conv1d``.
    """
    beyond = _beyond(lengths, embeddings.shape[1])
    if not reads_synchronise(embeddings.device):
        flat = weight.transpose(1, 2).flatten(1)
        with torch.no_grad():
            best, starts = _best_windows(embeddings, beyond, flat, weight.shape[2])
        if not torch.is_grad_enabled():
            return best
        return _ResponseAt.apply(embeddings, flat, starts, best)
    padded = functional.pad(embeddings.transpose(1, 2), (0, weight.shape[2] - 1))
    responses = functional.conv1d(padded, weight)
    return responses.masked_fill(beyond[:, None, :], -torch.inf).amax(2)


def window_place(embeddings: Tensor, lengths: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The responses [B, F] of `window_max`, and the starts int64 [B, F] of their windows."""
    beyond = _beyond(lengths, embeddings.shape[1])
    return _best_windows(embeddings, beyond, weight.transpose(1, 2).flatten(1), weight.shape[2])


def _beyond(lengths: Tensor, width: int) -> Tensor:
    """Bool [B, T], True after each sequence's end."""
    return torch.arange(width, device=lengths.device)[None, :] >= lengths[:, None]


def _windows(embeddings: Tensor, width: int) -> Tensor:
    """All windows [B * T, w * E] of `embeddings` [B, T, E], zeros beyond the end."""
    padded = functional.pad(embeddings, (0, 0, 0, width - 1))
    return padded.unfold(1, width, 1).transpose(2, 3).reshape(-1, width * embeddings.shape[2])


def _best_windows(
    embeddings: Tensor, beyond: Tensor, weight: Tensor, width: int
) -> tuple[Tensor, Tensor]:
    """The largest responses [B, F] and the starts of their windows; `weight` is [F, w * E]."""
    batch, length, size = embeddings.shape
    whole = max(0, length - width + 1)
    starts = [0, *range(whole, length, _STARTS)] if whole else [*range(0, length, _STARTS)]
    best = embeddings.new_full((batch, weight.shape[0]), -torch.inf)
    where = torch.zeros_like(best, dtype=torch.int64)
    for start, end in zip(starts, [*starts[1:], length], strict=True):
        inside = min(width, length - start)
        # The windows of this group as they stand, and as far as the sequences reach.
        part = functional.pad(embeddings[:, start:], (0, 0, 0, inside - 1))
        part = part[:, : end - start + inside - 1].unfold(1, inside, 1).transpose(2, 3)
        responses = part.reshape(-1, inside * size) @ weight[:, : inside * size].t()
        responses = responses.view(batch, end - start, -1)
        responses.masked_fill_(beyond[:, start:end, None], -torch.inf)
        largest, place = responses.max(1)
        where = torch.where(largest > best, place + start, where)
        best = torch.maximum(best, largest)
    return best, where


class _ResponseAt(torch.autograd.Function):
    """The responses of filters to given windows, linear in windows and in filters.

    The backward pass uses differentiable operations only, so gradient penalties work.
    """

    @staticmethod
    def forward(
        ctx: Any, embeddings: Tensor, weight: Tensor, starts: Tensor, responses: Tensor
    ) -> Tensor:
        """`responses` [B, F], which are known already, of `weight` [F, w * E] at `starts`."""
        ctx.save_for_backward(embeddings, weight, starts)
        return responses.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Each filter's gradient is a sum of B windows, each window's one of a few filters."""
        embeddings, weight, starts = ctx.saved_tensors
        batch, length, size = embeddings.shape
        width = weight.shape[1] // size
        first = torch.arange(batch, device=starts.device)[:, None] * length
        to_embeddings = to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = functional.embedding_bag(
                (starts + first).t().contiguous(),
                _windows(embeddings, width),
                per_sample_weights=grad.t().contiguous(),
                mode="sum",
            )
        if ctx.needs_input_grad[0]:
            order = starts.argsort(1)
            counts = torch.bincount((starts + first).flatten(), minlength=batch * length)
            parts = functional.embedding_bag(
                order.flatten(),
                weight,
                counts.cumsum(0) - counts,
                per_sample_weights=grad.gather(1, order).flatten(),
                mode="sum",
            ).view(batch, length, width, size)
            # A token gets its share of every window that it stands in.
            to_embeddings = torch.zeros_like(embeddings)
            for place in range(min(width, length)):
                to_embeddings[:, place:] += parts[:, : length - place, place]
        return to_embeddings, to_weight, None, None


class Windows:
    """The windows of a batch of sequences as numbers of distinct tokens.

    Args:
        sequences: the batch, on a CPU.
        embedding: [V, E].
    """

    def __init__(self, sequences: Sequences, embedding: Tensor):
        self.lengths = sequences.lengths
        self.shortest = int(sequences.lengths.min())
        present = torch.zeros(len(embedding), dtype=torch.bool)
        present[sequences.tokens[sequences.mask]] = True
        distinct = present.nonzero()[:, 0]
        numbers = present.cumsum(0) - 1
        # Number D stands for what comes after a sequence's end; its embedding is 0.
        self.numbers = numbers[sequences.tokens].masked_fill_(~sequences.mask, len(distinct))
        self.embedding = torch.cat([embedding[distinct], embedding.new_zeros(1, len(embedding[0]))])

    @property
    def pay(self) -> bool:
        """True if tables take less time than products: half as many tokens to compute."""
        return 2 * len(self.embedding) <= self.numbers.numel()

    def largest(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        """The same as `window_max`, from tables held in `dtype`.

        Args:
            weight: [F, E, w].
            dtype: of the tables and the sums.
        """
        group = max(1, _TABLE // (len(self.embedding) * weight.shape[2]))
        parts = [self._largest(part, dtype) for part in weight.split(group)]
        return torch.cat(parts, dim=1)

    def _largest(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        filters, _, width = weight.shape
        count, length = len(self.embedding), self.numbers.shape[1]
        table = (self.embedding @ weight.permute(2, 1, 0)).to(dtype).view(-1, filters)
        rows = torch.arange(width) * count
        found = weight.new_empty(len(self.numbers), filters)
        for numbers, lengths, best in zip(
            self.numbers.split(_ROWS), self.lengths.split(_ROWS), found.split(_ROWS), strict=True
        ):
            best.fill_(-torch.inf)
            for start in range(length):
                window = numbers[:, start : start + width]
                window = window + rows[: window.shape[1]]
                sums = functional.embedding_bag(window, table, mode="sum")
                if start >= self.shortest:
                    sums.masked_fill_((start >= lengths)[:, None], -torch.inf)
                torch.maximum(best, sums, out=best)
        return found
