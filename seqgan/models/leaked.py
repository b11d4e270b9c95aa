"""The discriminator's network inside a generator that sees its features of every prefix.

Shapes: B sequences, T tokens, R rows in flight, F filters, W the widest of them, E embedding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .discriminators.cnn import CNNDiscriminator

__all__ = ["Eye"]

LOWEST = -1e30
"""In the place of -inf where a product with 0 may come of it."""


class Eye(nn.Module):
    """The discriminator's network, which looks at every prefix of a sequence.

    Each filter's largest response over a prefix is that over the windows that lie inside, which
    grow in number by one with every token, and over the few that reach beyond the end. So a token
    costs as much as the widest filter, whatever the length of the prefix.

    Args:
        network: the discriminator without embedding and output layer.
        size: of its embeddings.
    """

    def __init__(self, network: CNNDiscriminator, size: int):
        super().__init__()
        self.network, self.size = _as_buffers(network), size

    @property
    def total(self) -> int:
        """Number of features."""
        return sum(self._counts())

    def begin(self, rows: int) -> list[Tensor]:
        """The last embeddings [R, W, E], largest responses inside [R, F], and tokens so far [R]."""
        like = self.network.highway.weight
        last = like.new_zeros(rows, max(self.network.widths), self.size)
        best = like.new_full((rows, self.total), -torch.inf)
        return [last, best, torch.full((rows,), -1, dtype=torch.int64, device=like.device)]

    def step(self, shown: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Features [R, F] after one more token, 0 after BOS, and the new state."""
        last, best, count = state
        count = count + 1
        begun = (count > 0)[:, None]  # BOS is no part of the prefix
        moved = torch.cat([last[:, 1:], shown[:, None].to(last.dtype)], 1)
        last = torch.where(begun[..., None], moved, last)
        inside, largest = [], []
        for convolution, width, so_far in self._each(best):
            flat = convolution.weight.transpose(1, 2).flatten(1)
            found = so_far
            for tokens in range(1, width + 1):  # of the window that lie inside
                part = last[:, -tokens:].flatten(1) @ flat[:, : tokens * self.size].t()
                part = part.masked_fill((count < tokens)[:, None], -torch.inf)
                if tokens == width:
                    inside.append(torch.maximum(so_far, part))
                found = torch.maximum(found, part)
            largest.append(found)
        features = self._features(largest)
        return torch.where(begun, features, 0.0), [last, torch.cat(inside, 1), count]

    def all_prefixes(self, shown: Tensor) -> Tensor:
        """Features [B, T + 1, F] of the prefixes of 0 to T tokens of embedded sequences."""
        size, length = shown.shape[:2]
        largest = []
        for convolution, width, so_far in self._each(self.begin(size)[1]):
            flat = convolution.weight.transpose(1, 2).flatten(1)
            found = so_far[:, None].expand(-1, length, -1)
            for tokens in range(1, min(width, length) + 1):
                windows = shown.unfold(1, tokens, 1).transpose(2, 3).flatten(2)
                part = windows @ flat[:, : tokens * self.size].t()  # ends at token tokens - 1, ...
                if tokens == width:
                    part = part.cummax(1).values
                part = functional.pad(part, (0, 0, tokens - 1, 0), value=-torch.inf)
                found = torch.maximum(found, part)
            largest.append(found.flatten(0, 1))
        features = self._features(largest).unflatten(0, (size, length))
        return torch.cat([torch.zeros_like(features[:, :1]), features], 1)

    def _each(self, best: Tensor) -> Iterable[tuple[nn.Conv1d, int, Tensor]]:
        """Filters, their width, and their part of the largest responses."""
        convolutions: Any = list(self.network.convolutions)
        parts = best.split(self._counts(), -1)
        return zip(convolutions, self.network.widths, parts, strict=True)

    def _counts(self) -> list[int]:
        """Number of filters of each width."""
        convolutions: Any = self.network.convolutions
        return [each.weight.shape[0] for each in convolutions]

    def _features(self, largest: list[Tensor]) -> Tensor:
        """Features of the largest responses; of BOS alone anything finite."""
        return self.network.combined([each.clamp(min=LOWEST) for each in largest])


def _as_buffers(module: CNNDiscriminator) -> CNNDiscriminator:
    """The module with its parameters as buffers: they are saved and moved, and never trained."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            del part._parameters[name]
            part.register_buffer(name, parameter.detach().clone())
    return module.eval()
