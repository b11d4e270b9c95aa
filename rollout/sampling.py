"""One token from logits: temperature, top-k, top-p, then exact inverse-CDF sampling.

`torch.multinomial` draws and divides by V exponential numbers a row; the inverse CDF needs one
uniform number a row, which also makes the draw a function of its place (see `randomness`).

Shapes: R rows, V vocabulary, N draws a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Sampler", "inverse_cdf"]

_BLOCK = 128
"""Probabilities summed at once in the two-level search; a row shorter than four blocks has one
level only."""


@dataclass(frozen=True)
class Sampler:
    """How a token is drawn from a policy's logits.

    Filters apply in this order: temperature, top-k, top-p.

    Attributes:
        temperature: the logits are divided by it; above 0; below 1 sharpens.
        top_k: only the k most likely tokens are kept (exactly k, ties broken as ``torch.topk``
            does); None: all.
        top_p: the smallest set of most likely tokens whose probability reaches p is kept
            (Holtzman et al. 2020, "nucleus"); None: all.

    Raises:
        ValueError: temperature not above 0, top_k below 1, or top_p outside (0, 1].
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be 1 or more, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")

    def probabilities(self, logits: Tensor) -> tuple[Tensor, Tensor | None]:
        """The distribution that is sampled from.

        Args:
            logits: [R, V].

        Returns:
            Probabilities [R, K] that sum to 1, and the token ids [R, K] they belong to, most
            likely first; None stands for ``0 .. V-1``.
        """
        logits = logits.float()
        if self.temperature != 1.0:
            logits = logits / self.temperature
        filtered = self.top_p is not None and self.top_p < 1.0
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            logits, ids = logits.topk(self.top_k, dim=-1)
        elif filtered:
            logits, ids = logits.sort(dim=-1, descending=True)
        else:
            return logits.softmax(-1), None
        probs = logits.softmax(-1)
        if self.top_p is not None and filtered:
            before = probs.cumsum(-1) - probs  # mass of the tokens that are more likely
            probs = probs.masked_fill(before >= self.top_p, 0.0)
            probs = probs / probs.sum(-1, keepdim=True)
        return probs, ids

    def sample(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Token ids drawn from `logits`.

        Args:
            logits: [R, V]; -inf for a token that cannot be drawn, finite for one at least.
            uniforms: numbers in (0, 1): [R] for one draw a row, [R, N] for N draws a row.

        Returns:
            int64 tokens, of the shape of `uniforms`.
        """
        probs, ids = self.probabilities(logits)
        columns = uniforms if uniforms.ndim == 2 else uniforms[:, None]
        chosen = inverse_cdf(probs, columns)
        if ids is not None:
            chosen = ids.gather(1, chosen)
        return chosen if uniforms.ndim == 2 else chosen[:, 0]


def inverse_cdf(probs: Tensor, uniforms: Tensor) -> Tensor:
    """The first index at which the cumulative probability exceeds the uniform number.

    On two levels where a row is long: sums over blocks, a search among the block sums, then one
    among the cumulative sums of the block found. It reads every probability once, where a full
    cumulative sum would write them all again.

    Args:
        probs: [R, V], not negative, with a positive sum (that need not be 1).
        uniforms: [R, N], in (0, 1).

    Returns:
        int64 [R, N]; never an index of probability 0 (any index where probabilities are NaN).
    """
    size = probs.shape[-1]
    if size < 4 * _BLOCK:
        return _search(probs.cumsum(-1), uniforms)[0].clamp(max=size - 1)
    whole = size // _BLOCK * _BLOCK
    sums = probs[:, :whole].unflatten(1, (-1, _BLOCK)).sum(-1)
    if whole < size:
        sums = torch.cat([sums, probs[:, whole:].sum(-1, keepdim=True)], dim=1)
    block, rest = _search(sums.cumsum(-1), uniforms)
    places = block[..., None] * _BLOCK + torch.arange(_BLOCK, device=probs.device)
    inside = probs[:, None, :].expand(-1, uniforms.shape[1], -1)
    inside = inside.gather(2, places.clamp(max=size - 1))
    if whole < size:
        inside = inside * (places < size)
    cdf = inside.cumsum(-1)
    # The block sum and the block's last cumulative sum may differ by rounding: stay inside.
    index = torch.searchsorted(cdf, _below(rest[..., None], cdf[..., -1:]), right=True)
    return (block * _BLOCK + index[..., 0]).clamp(max=size - 1)


def _search(cdf: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """The index found in `cdf` [R, K] for each number [R, N], and what is left of it there."""
    total = cdf[:, -1:]
    target = _below(uniforms * total, total)
    index = torch.searchsorted(cdf, target, right=True)
    before = torch.where(index > 0, cdf.gather(1, (index - 1).clamp(min=0)), 0.0)
    return index, target - before


def _below(target: Tensor, total: Tensor) -> Tensor:
    """`target`, held strictly below `total`, so that a search always ends on a positive step."""
    return torch.minimum(target, total * (1 - 2.0**-23))
