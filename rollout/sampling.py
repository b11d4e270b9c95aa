"""One token from logits: temperature, top-k, top-p, then exact inverse-CDF sampling.

`torch.multinomial` draws and divides by V exponential numbers a row; the inverse CDF needs one
uniform number a row, which also makes the draw a function of its place (see `randomness`).

The inverse CDF reads and writes the logits as few times as it can. Its weights need not sum to 1,
so ``2^((logit - largest) log2 e)`` is never divided by its sum; and there is no cumulative sum over
a row, but sums over blocks, a search among them, and the cumulative sum of the one block found. The
weights go into memory that a `Workspace` keeps from step to step: fresh tensors of some megabytes
would cost the operating system as much time as the exponentials cost the processor.

Shapes: R rows, V vocabulary, N draws a row, K tokens kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .devices import reading_waits

__all__ = ["Sampler", "Workspace", "inverse_cdf"]

_BLOCK = 64
"""Weights summed at once in the two-level search; a row shorter than four blocks has one level
only."""
_LOG2_E = math.log2(math.e)
_BELOW_1 = 1 - 2.0**-23
"""What is multiplied by it gets smaller by a float32's last digit at least."""
_LEAST, _MOST = 1e-20, 1e30
"""Between these, the sum of a row's weights says that none that matters was lost at either end of
float32."""
_FIRST_TOP = 64
"""Tokens looked at first for top-p; where their mass does not reach p, eight times as many."""


class Workspace:
    """Memory for the weights of one batch of rows, kept from step to step."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def take(self, like: Tensor, size: int) -> Tensor:
        """`size` elements, not initialised, of the dtype and on the device of `like`."""
        kept = self._memory
        if kept is None or kept.dtype != like.dtype or kept.device != like.device:
            kept = None
        if kept is None or kept.numel() < size:
            kept = self._memory = torch.empty(size, dtype=like.dtype, device=like.device)
        return kept[:size]


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
        nucleus = self.top_p if self.top_p is not None and self.top_p < 1.0 else None
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            logits, ids = logits.topk(self.top_k, dim=-1)
            probs = logits.softmax(-1)
            return (probs if nucleus is None else _nucleus(probs, nucleus)), ids
        probs = logits.softmax(-1)
        if nucleus is None:
            return probs, None
        probs, ids = _most_likely(probs, nucleus)
        return _nucleus(probs, nucleus), ids

    def sample(
        self, logits: Tensor, uniforms: Tensor, workspace: Workspace | None = None
    ) -> Tensor:
        """Token ids drawn from `logits`.

        Args:
            logits: [R, V]; -inf for a token that cannot be drawn, finite for one at least.
            uniforms: numbers in (0, 1): [R] for one draw a row, [R, N] for N draws a row.
            workspace: memory to use again; None: memory of its own.

        Returns:
            int64 tokens, of the shape of `uniforms`.
        """
        columns = uniforms if uniforms.ndim == 2 else uniforms[:, None]
        filtered = self.top_p is not None and self.top_p < 1.0
        if self.top_k is not None and self.top_k < logits.shape[-1] or filtered:
            probs, ids = self.probabilities(logits)
            assert ids is not None
            chosen = ids.gather(1, inverse_cdf(probs, columns))
        else:
            chosen = self._from_all(logits, columns, workspace or Workspace())
        return chosen if uniforms.ndim == 2 else chosen[:, 0]

    def _from_all(self, logits: Tensor, uniforms: Tensor, workspace: Workspace) -> Tensor:
        """Draws from all V tokens; rows are filled up to whole blocks with weights of 0."""
        logits = logits.float()
        rows, size = logits.shape
        width = size if size < 4 * _BLOCK else -(-size // _BLOCK) * _BLOCK
        weights = workspace.take(logits, rows * width).view(rows, width)
        scale = _LOG2_E / self.temperature
        waits = reading_waits(logits.device)
        if waits:
            shift = logits.amax(-1, keepdim=True) * -scale
            torch.add(shift, logits, alpha=scale, out=weights[:, :size])
        else:
            torch.mul(logits, scale, out=weights[:, :size])
        weights[:, size:] = -torch.inf
        # In base 2, which is faster than base e on CPUs, and over the filled-up rows, so that
        # vector instructions leave no remainder.
        cdf = _coarse(torch.exp2(weights, out=weights))
        chosen = _two_levels(weights, cdf, uniforms).clamp_(max=size - 1)
        if not waits:
            # Most logits are small enough to be taken as they are; a search for the largest would
            # read all of them once more. Row by row, so that no row's draw depends on another's.
            lost = ~((cdf[:, -1] > _LEAST) & (cdf[:, -1] < _MOST))
            if bool(lost.any()):
                largest = logits[lost].amax(-1, keepdim=True)
                weights = torch.exp2((logits[lost] - largest) * scale)
                chosen[lost] = inverse_cdf(weights, uniforms[lost])
        return chosen


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
    size = probs.shape[1]
    if size >= 4 * _BLOCK and size % _BLOCK:
        probs = torch.nn.functional.pad(probs, (0, _BLOCK - size % _BLOCK))
    return _two_levels(probs, _coarse(probs), uniforms).clamp_(max=size - 1)


def _coarse(weights: Tensor) -> Tensor:
    """Cumulative sums [R, K] of the blocks of a row; of a short row, of its weights."""
    rows, size = weights.shape
    if size < 4 * _BLOCK:
        return weights.cumsum(-1)
    return weights.view(rows, -1, _BLOCK).sum(-1).cumsum_(-1)


def _two_levels(weights: Tensor, cdf: Tensor, uniforms: Tensor) -> Tensor:
    """The index [R, N] of the weight at which each number falls; `cdf` is `_coarse(weights)`."""
    rows, size = weights.shape
    # Strictly below the sum, so that a search always ends on a positive step.
    target = uniforms * (cdf[:, -1:] * _BELOW_1)
    # NaN finds the place after the last one.
    found = torch.searchsorted(cdf, target, right=True).clamp_(max=cdf.shape[1] - 1)
    if size < 4 * _BLOCK:
        return found
    before = torch.where(found > 0, cdf.gather(1, (found - 1).clamp_(min=0)), 0.0)
    everyone = torch.arange(rows, device=weights.device)[:, None]
    inside = weights.view(rows, -1, _BLOCK)[everyone, found].cumsum_(-1)
    # The block's sum and its last cumulative sum may differ by rounding: stay inside.
    rest = torch.minimum((target - before)[..., None], inside[..., -1:] * _BELOW_1)
    index = torch.searchsorted(inside, rest, right=True)[..., 0]
    return index.add_(found, alpha=_BLOCK)


def _most_likely(probs: Tensor, mass: float) -> tuple[Tensor, Tensor]:
    """So many of the most likely tokens of each row that their probability reaches `mass`.

    Sorting all V takes tens of times as long as finding the largest few, which nearly always
    suffice. Where looking at the result would make the host wait, all are sorted.
    """
    size = probs.shape[-1]
    count = size if reading_waits(probs.device) else min(_FIRST_TOP, size)
    while count < size:
        top, ids = probs.topk(count, dim=-1)
        if bool((top.sum(-1) >= mass * (1 + 1e-5)).all()):
            return top, ids
        count = min(8 * count, size)
    return probs.sort(dim=-1, descending=True)


def _nucleus(probs: Tensor, mass: float) -> Tensor:
    """The smallest leading part of sorted `probs` [R, K] that reaches `mass`, normalised."""
    before = probs.cumsum(-1) - probs  # mass of the tokens that are more likely
    probs = probs.masked_fill(before >= mass, 0.0)
    return probs / probs.sum(-1, keepdim=True)
