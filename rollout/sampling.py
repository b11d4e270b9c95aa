"""One token from logits: temperature, top-k, top-p, min-p, then exact inverse-CDF sampling.

`torch.multinomial` draws and divides by V exponential numbers per row; the inverse CDF needs one
uniform number per row, which also makes the draw a function of its place (see `randomness`).

The inverse CDF reads and writes the logits as few times as it can. Its weights need not sum to 1,
so ``2^((logit - largest) log2 e)`` is never divided by its sum; and there is no cumulative sum over
a row, but sums over blocks, a search among them, and the cumulative sum of the one block found. The
weights go into memory that a `Workspace` keeps from step to step: fresh tensors of some megabytes
would cost the operating system as much time as the exponentials cost the processor.

Weights and the sums of blocks are float32, which is exact enough: an error of a digit of each. What
is added up along a row is float64: a float32 cumulative sum moves in steps of 2^-24 of the row's
mass, and of 50,000 tokens thousands are smaller than that. So is the uniform number, for the same
reason. These arrays are small, and where a device has no float64 they go to the host (see
`UniformStream`): the search happens where the uniform numbers are.

Shapes: R rows, V vocabulary, N draws per row, K tokens kept.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .devices import exact_device, reads_synchronise

__all__ = ["Sampler", "Workspace", "inverse_cdf", "outside_nucleus", "tempered"]

_BLOCK = 64
"""Weights summed at once in the two-level search; a row shorter than four blocks has one level
only."""
_LOG2_E = math.log2(math.e)
_BELOW_1 = 1 - 2.0**-52
"""A float64 multiplied by it becomes smaller, by its last digit."""
_LEAST, _MOST = 1e-20, 1e30
"""Between these, the sum of a row's weights says that none that matters was lost at either end of
float32."""
_FIRST_TOP = 64
"""Tokens looked at first for top-p; where their mass does not reach p, eight times as many."""


class Workspace:
    """Memory for the weights of one batch of rows, kept from step to step."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def take(self, device: torch.device, size: int) -> Tensor:
        """`size` elements of float32 on `device`, not initialised."""
        kept = self._memory
        if kept is None or kept.device != device or kept.numel() < size:
            kept = self._memory = torch.empty(size, dtype=torch.float32, device=device)
        return kept[:size]


@dataclass(frozen=True)
class Sampler:
    """Draws tokens from a policy's logits.

    Filters apply in this order: temperature, top-k, top-p, min-p.

    Attributes:
        temperature: the logits are divided by it; above 0; below 1 sharpens.
        top_k: only the k most likely tokens are kept (exactly k, ties broken as ``torch.topk``
            does); None: all.
        top_p: the smallest set of most likely tokens whose probability reaches p is kept
            (Holtzman et al. 2020, "nucleus"); None: all.
        min_p: tokens whose probability is below this share of the most likely token's are left out
            (Nguyen et al. 2024); None: none.

    Raises:
        ValueError: temperature not above 0, top_k below 1, or top_p or min_p outside (0, 1].
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    _workspace: ClassVar[Workspace | None] = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be 1 or more, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if self.min_p is not None and not 0 < self.min_p <= 1:
            raise ValueError(f"min_p must be above 0 and at most 1, got {self.min_p}")

    def probabilities(self, logits: Tensor) -> tuple[Tensor, Tensor | None]:
        """The distribution that is sampled from.

        Args:
            logits: [R, V]; -inf for a token that cannot be drawn, finite for one at least.

        Returns:
            Probabilities [R, K] that sum to 1, and the token ids [R, K] they belong to, most
            likely first; None stands for ``0 .. V-1``, in that order.
        """
        nucleus = self.top_p if self.top_p is not None and self.top_p < 1.0 else None
        ids = None
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            logits, ids = logits.topk(self.top_k, dim=-1)
        probs = tempered(logits, self.temperature).softmax(-1)
        if nucleus is not None:
            if ids is None:
                probs, ids = _most_likely(probs, nucleus)
            probs = _nucleus(probs, nucleus)
        if self.min_p is not None:
            least = self.min_p * probs.amax(-1, keepdim=True)
            probs = probs.masked_fill(probs < least, 0.0)
            probs = probs / probs.sum(-1, keepdim=True)
        return probs, ids

    def reusing_memory(self) -> Sampler:
        """The same sampler with memory of its own that it keeps from call to call.

        For one loop: two callers at a time would write to the same memory.
        """
        copied = copy.copy(self)
        object.__setattr__(copied, "_workspace", Workspace())
        return copied

    def sample(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Token ids drawn from `logits`.

        Args:
            logits: [R, V], of any floating-point type; -inf for a token that cannot be drawn,
                finite for one at least.
            uniforms: numbers in (0, 1): [R] for one draw per row, [R, N] for N draws per row;
                float64 as `UniformStream` gives them (float32 numbers reach no token of a
                probability below 2^-24).

        Returns:
            int64 tokens, of the shape of `uniforms`.
        """
        logits = logits.detach()
        columns = uniforms if uniforms.ndim == 2 else uniforms[:, None]
        filtered = self.top_p is not None and self.top_p < 1.0 or self.min_p is not None
        if self.top_k is not None and self.top_k < logits.shape[-1] or filtered:
            probs, ids = self.probabilities(logits)
            chosen = inverse_cdf(probs, columns)
            if ids is not None:
                chosen = ids.gather(1, chosen)
        else:
            chosen = self._from_all(logits, columns)
        return chosen if uniforms.ndim == 2 else chosen[:, 0]

    def _from_all(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Draws from all V tokens; rows are filled up to whole blocks with weights of 0."""
        rows, size = logits.shape
        width = size if size < 4 * _BLOCK else -(-size // _BLOCK) * _BLOCK
        scale = _LOG2_E / self.temperature
        # Most logits are small enough to be taken as they are; a search for the largest would read
        # all of them once more. A look at the sums of the weights tells.
        plain = not reads_synchronise(logits.device) and logits.dtype != torch.float64
        plain = plain and _LEAST < scale < _MOST
        workspace = self._workspace or Workspace()
        memory = workspace.take(logits.device, rows * width).view(rows, width)
        memory[:, size:] = -torch.inf
        # In base 2 where that is one operation less (and faster on CPUs), and over the filled-up
        # rows, so that vector instructions leave no remainder.
        if plain:
            torch.mul(logits.float(), scale, out=memory[:, :size])
            weights = torch.exp2(memory, out=memory)
        else:
            tempered(logits, self.temperature, out=memory[:, :size])
            weights = torch.exp(memory, out=memory)
        cdf = _coarse(weights, uniforms)
        chosen = _two_levels(weights, cdf, uniforms).clamp_(max=size - 1)
        if plain:
            # Row by row, so that no row's draw depends on another's.
            lost = ~((cdf[:, -1] > _LEAST) & (cdf[:, -1] < _MOST))
            if bool(lost.any()):
                weights = tempered(logits[lost], self.temperature).exp_()
                chosen[lost] = inverse_cdf(weights, uniforms[lost])
        return chosen


def tempered(logits: Tensor, temperature: float, out: Tensor | None = None) -> Tensor:
    """Logits divided by a temperature, after the largest of each row was taken away.

    So the largest becomes 0 and the others 0 or less, down to -inf, whatever the temperature: a
    quotient of logits themselves would leave float32 at both ends.

    Args:
        logits: [..., V], of any floating-point type; -inf where a token cannot be drawn, finite for
            one at least.
        temperature: above 0 and finite.
        out: float32, of the shape of `logits`; None: fresh memory.

    Returns:
        float32 [..., V]; `out` where that is given.
    """
    if logits.dtype != torch.float64:
        logits = logits.float()
    # A constant of a row changes no probability, so no gradient goes through it.
    largest = logits.detach().amax(-1, keepdim=True)
    if logits.dtype == torch.float64:
        quotients = (logits - largest) / temperature
        return quotients.float() if out is None else out.copy_(quotients)
    quotients = torch.sub(logits, largest, out=out)
    if temperature == 1.0:
        return quotients
    # Beyond 2^240 the quotient of every float32 is 0 or -inf.
    factor = 1.0 / min(max(temperature, 2.0**-240), 2.0**240)
    steps = 1 if _LEAST < factor < _MOST else 3  # each within float32
    for _ in range(steps):
        quotients.mul_(factor ** (1 / steps))
    return quotients


def inverse_cdf(probs: Tensor, uniforms: Tensor) -> Tensor:
    """The first index at which the cumulative probability exceeds the uniform number.

    On two levels where a row is long: sums over blocks, a search among the block sums, then one
    among the cumulative sums of the block found. It reads every probability once, where a full
    cumulative sum would write them all again.

    Args:
        probs: float32 [R, V], not negative, with a positive sum (that need not be 1).
        uniforms: [R, N], in (0, 1); float64 where a token of a probability below 2^-24 is to be
            reached.

    Returns:
        int64 [R, N]; never an index of probability 0 (any index where probabilities are NaN).
    """
    size = probs.shape[1]
    if size >= 4 * _BLOCK and size % _BLOCK:
        probs = torch.nn.functional.pad(probs, (0, _BLOCK - size % _BLOCK))
    return _two_levels(probs, _coarse(probs, uniforms), uniforms).clamp_(max=size - 1)


def _coarse(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Cumulative sums, float64 [R, K], of the blocks of a row; of a short row, of its weights."""
    rows, size = weights.shape
    if size >= 4 * _BLOCK:
        weights = weights.view(rows, -1, _BLOCK).sum(-1)
    return weights.to(exact_device(uniforms.device)).cumsum(-1, dtype=torch.float64)


def _two_levels(weights: Tensor, cdf: Tensor, uniforms: Tensor) -> Tensor:
    """The index [R, N] of the weight at which each number falls; `cdf` is `_coarse(weights)`."""
    rows, size = weights.shape
    # Strictly below the sum, so that a search always ends on a positive step.
    target = uniforms.to(cdf.device, torch.float64) * (cdf[:, -1:] * _BELOW_1)
    # NaN finds the place after the last one.
    found = torch.searchsorted(cdf, target, right=True).clamp_(max=cdf.shape[1] - 1)
    if size < 4 * _BLOCK:
        return found.to(weights.device)
    before = torch.where(found > 0, cdf.gather(1, (found - 1).clamp_(min=0)), 0.0)
    share = (target - before) / (cdf.gather(1, found) - before)
    everyone = torch.arange(rows, device=weights.device)[:, None]
    inside = weights.view(rows, -1, _BLOCK)[everyone, found.to(weights.device)]
    inside = inside.to(cdf.device).cumsum(-1, dtype=torch.float64)
    # As a share of the block, whose float32 sum need not be its cumulative sum's last one.
    rest = share[..., None].clamp_(max=_BELOW_1) * inside[..., -1:]
    index = torch.searchsorted(inside, rest, right=True)[..., 0]
    return index.add_(found, alpha=_BLOCK).to(weights.device)


def _most_likely(probs: Tensor, mass: float) -> tuple[Tensor, Tensor]:
    """So many of the most likely tokens of each row that their probability reaches `mass`.

    Sorting all V takes tens of times as long as finding the largest few, which nearly always
    suffice. Where looking at the result would make the host wait, all are sorted.
    """
    size = probs.shape[-1]
    count = size if reads_synchronise(probs.device) else min(_FIRST_TOP, size)
    while count < size:
        top, ids = probs.topk(count, dim=-1)
        if bool((top.sum(-1) >= mass * (1 + 1e-5)).all()):
            return top, ids
        count = min(8 * count, size)
    return probs.sort(dim=-1, descending=True)


def outside_nucleus(probs: Tensor, mass: float) -> Tensor:
    """The tokens that top-p leaves out: the more likely ones reach `mass` without them.

    Args:
        probs: [..., K], descending.
        mass: p.

    Returns:
        bool [..., K].
    """
    exact = probs.to(exact_device(probs.device))
    before = exact.cumsum(-1, dtype=torch.float64).sub_(exact)
    return (before >= mass).to(probs.device)


def _nucleus(probs: Tensor, mass: float) -> Tensor:
    """The smallest leading part of sorted `probs` [R, K] that reaches `mass`, normalised."""
    probs = probs.masked_fill(outside_nucleus(probs, mass), 0.0)
    return probs / probs.sum(-1, keepdim=True)
