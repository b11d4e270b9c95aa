"""Log-probabilities and entropies of tokens without their logits ever standing in memory together.

For M tokens of a vocabulary of V, the logits, the probabilities and the gradient of either are
M x V numbers each: at a batch of 64 x 20 and V = 5,000, 26 MB that are written and read several
times over. Here the tokens go through in chunks whose logits stay in the cache, and of each chunk
only what is M or V long is kept.

The gradients need the probabilities again. On a CPU those of the likelihood are computed in the
forward pass, while the chunk is at hand, as if every token counted the same, which is what maximum
likelihood asks for: the backward pass then multiplies by one number. Where it turns out that tokens
have weights of their own (policy gradient) or that the entropy has a gradient, and on other
devices, where looking would make the host wait, the backward pass computes the chunks again.

With p the probabilities, H the entropy and z the logits of one token y::

    d log p(y) / dz = onehot(y) - p        dH / dz = -p (log p + H)

Shapes: M tokens, V vocabulary, H hidden units, C tokens of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rollout.devices import autocast, chunk_numbers, keep_freed_memory, reads_synchronise

__all__ = ["token_log_probs"]

_LOG2_E = math.log2(math.e)


def token_log_probs(
    hidden: Tensor, weight: Tensor, bias: Tensor, tokens: Tensor
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of each token, in nats.

    Args:
        hidden: [M, H].
        weight: [V, H] of the output layer.
        bias: [V] of the output layer; finite (`LOWEST` stands for minus infinity).
        tokens: int64 [M].

    Returns:
        Log-probabilities [M] and entropies [M], both with gradients.
    """
    device, dtype = hidden.device, None
    if torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type):
        dtype = torch.get_autocast_dtype(device.type)
    with autocast(device, None):
        if torch.is_grad_enabled():
            return _TokenLogProbs.apply(hidden, weight, bias, tokens, dtype)
        work = _Chunks(hidden, weight, bias, tokens, dtype)
        parts = [(chunk.log_prob, chunk.entropy) for chunk in work]
        log_prob, entropy = (torch.cat(each) for each in zip(*parts, strict=True))
        return log_prob, entropy


class _Chunk(NamedTuple):
    """Probabilities of C tokens before their normalisation.

    Attributes:
        rows: where they stand.
        log_prob: [C].
        entropy: [C].
        weights: [C, V], the probabilities times their `total`.
        exponents: [C, V], the logits in base 2, their largest subtracted.
        total: [C].
    """

    rows: slice
    log_prob: Tensor
    entropy: Tensor
    weights: Tensor
    exponents: Tensor
    total: Tensor


class _Chunks:
    """Logits, a chunk at a time, in memory that is used again: a chunk lasts until the next."""

    def __init__(
        self, hidden: Tensor, weight: Tensor, bias: Tensor, tokens: Tensor, dtype: Any
    ) -> None:
        # Mixed precision multiplies in 16 bits; sums and exponentials stay in 32.
        self.dtype = dtype or weight.dtype
        self.result = torch.promote_types(weight.dtype, torch.float32)
        self.hidden, self.weight = hidden.to(self.dtype), weight.to(self.dtype)
        self.bias, self.tokens = bias, tokens
        if hidden.device.type == "cpu":
            keep_freed_memory()
        arrays = 2 * len(weight)
        self.size = max(1, min(len(tokens), chunk_numbers(hidden.device) // arrays))

    def __iter__(self) -> Iterator[_Chunk]:
        vocabulary = len(self.weight)
        memory = self.bias.new_empty(2, self.size, vocabulary, dtype=self.result)
        for start in range(0, max(1, len(self.tokens)), self.size):
            rows = slice(start, start + self.size)
            tokens = self.tokens[rows]
            logits, weights = memory[:, : len(tokens)]
            if self.dtype == self.result:
                torch.addmm(self.bias, self.hidden[rows], self.weight.t(), out=logits)
            else:
                torch.add(self.hidden[rows] @ self.weight.t(), self.bias, out=logits)
            largest = logits.amax(1, keepdim=True)
            taken = logits.gather(1, tokens[:, None])
            exponents = torch.add(largest * -_LOG2_E, logits, alpha=_LOG2_E, out=logits)
            torch.exp2(exponents, out=weights)
            total = weights.sum(1)
            log_total = total.log()
            mean = torch.linalg.vecdot(weights, exponents) / total
            yield _Chunk(
                rows,
                (taken - largest)[:, 0] - log_total,
                log_total - mean / _LOG2_E,
                weights,
                exponents,
                total,
            )


class _Gradients:
    """Sums of gradients over chunks."""

    def __init__(self, work: _Chunks) -> None:
        self.work = work
        self.hidden = torch.empty_like(work.hidden, dtype=work.result)
        self.weight = torch.zeros_like(work.weight, dtype=work.result)
        self.bias = torch.zeros_like(work.bias)

    def add(self, chunk: _Chunk, at_token: Tensor, scale: Tensor, logits: Tensor) -> None:
        """Adds the gradient ``onehot(y) * at_token - scale * logits`` of the logits of a chunk.

        Args:
            chunk: which tokens.
            at_token: [C].
            scale: [C].
            logits: [C, V].
        """
        work, tokens = self.work, self.work.tokens[chunk.rows]
        hidden = work.hidden[chunk.rows]
        scaled = scale[:, None] * hidden
        mine = at_token[:, None]
        products = logits.to(work.dtype)
        self.hidden[chunk.rows] = mine * work.weight[tokens] - scale[:, None] * (
            products @ work.weight
        )
        if work.dtype == work.result:
            self.weight.addmm_(products.t(), scaled, alpha=-1)
        else:
            self.weight -= products.t() @ scaled.to(work.dtype)
        self.weight.index_add_(0, tokens, (mine * hidden).to(work.result))
        self.bias.addmv_(logits.t(), scale, alpha=-1).index_add_(0, tokens, at_token)


class _TokenLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, tokens: Tensor, dtype: Any
    ) -> tuple[Tensor, Tensor]:
        """Both scores; on a CPU the gradients as well, as if every token counted 1."""
        ctx.set_materialize_grads(False)
        ctx.dtype = dtype
        work = _Chunks(hidden, weight, bias, tokens, dtype)
        gradients = None if reads_synchronise(hidden.device) else _Gradients(work)
        log_prob = torch.empty_like(tokens, dtype=work.result)
        entropy = torch.empty_like(log_prob)
        for chunk in work:
            log_prob[chunk.rows], entropy[chunk.rows] = chunk.log_prob, chunk.entropy
            if gradients is not None:
                one = torch.ones_like(chunk.total)
                gradients.add(chunk, one, 1 / chunk.total, chunk.weights)
        ahead = [] if gradients is None else [gradients.hidden, gradients.weight, gradients.bias]
        ctx.save_for_backward(hidden, weight, bias, tokens, *ahead)
        return log_prob, entropy

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_log_prob: Tensor | None, of_entropy: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """The gradients of `hidden`, `weight` and `bias`."""
        hidden, weight, bias, tokens, *ahead = ctx.saved_tensors
        if ahead and of_entropy is None and of_log_prob is not None and len(tokens):
            first = of_log_prob[0]
            if bool((of_log_prob == first).all()):
                return *(first * gradient for gradient in ahead), None, None
        work = _Chunks(hidden, weight, bias, tokens, ctx.dtype)
        gradients = _Gradients(work)
        zero = torch.zeros_like(tokens, dtype=work.result)
        of_log_prob = zero if of_log_prob is None else of_log_prob
        for chunk in work:
            mine = of_log_prob[chunk.rows]
            scale, logits = mine / chunk.total, chunk.weights
            if of_entropy is not None:
                # -p (log p + H), with log p = exponent / log2 e - log total
                weight_of_entropy = of_entropy[chunk.rows] / chunk.total
                offset = (chunk.entropy - chunk.total.log()) * weight_of_entropy
                factor = (weight_of_entropy / _LOG2_E)[:, None] * chunk.exponents
                factor += (offset + scale)[:, None]
                logits, scale = factor.mul_(chunk.weights), torch.ones_like(scale)
            gradients.add(chunk, mine, scale, logits)
        return gradients.hidden, gradients.weight, gradients.bias, None, None
