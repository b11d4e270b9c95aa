"""Divergences of a policy from a target, exact over the vocabulary, without [B, T, V] in memory.

The tokens go through in chunks. The gradient by the logits is known in closed form (see
`rollout.divergences`), so it is taken in the forward pass while the chunk is at hand, and only the
gradients of the features and of the output layer are kept.

Shapes: B sequences, T tokens, M tokens, V vocabulary, H features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rollout.devices import chunk_numbers, reads_synchronise
from rollout.divergences import LOWEST, divergence

__all__ = ["Target", "TokenFigures", "chunk_rows", "rows_of", "token_divergence"]

_LEAST = 64
"""Tokens of a chunk at least: with fewer, the output layers are read more often than they serve."""
_WORK = 6
"""Arrays [chunk, V] that the policy's side of a chunk needs."""


def chunk_rows(count: int, vocabulary: int, members: int, device: torch.device) -> Iterator[slice]:
    """Slices of `count` tokens, such that the arrays of a chunk fit into `chunk_numbers`."""
    size = max(_LEAST, chunk_numbers(device) // (vocabulary * (2 * members + _WORK)))
    for start in range(0, max(1, count), size):
        yield slice(start, min(count, start + size))


def rows_of(mask: Tensor) -> Tensor:
    """Numbers of the tokens to work on, among B T: those of the mask; elsewhere than on CPUs all.

    On other devices finding them would make the host wait.
    """
    if reads_synchronise(mask.device):
        return torch.arange(mask.numel(), device=mask.device)
    return mask.flatten().nonzero()[:, 0]


@dataclass(frozen=True)
class Target:
    """A distribution that the policy is drawn towards.

    Attributes:
        features: of the tokens [M, H], one tensor for each model behind it.
        log_probs: maps rows of them to log-probabilities [rows, V].
        objective: one of `rollout.divergences.OBJECTIVES`.
        weight: factor of its divergence.
        log_ratio: [M], ``log p(prefix) - log q(prefix)``, for "jensen_shannon".
        token_weights: [M], a factor of each token; None: 1.
    """

    features: Sequence[Tensor]
    log_probs: Callable[[Sequence[Tensor]], Tensor]
    objective: str = "reverse_kl"
    weight: float = 1.0
    log_ratio: Tensor | None = None
    token_weights: Tensor | None = None

    def of(self, log_q: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted divergence [C], its gradient by the logits [C, V], and log p [C, V]."""
        log_p = self.log_probs([each[rows] for each in self.features])
        ratio = None if self.log_ratio is None else self.log_ratio[rows]
        value, slope = divergence(log_q, log_p, self.objective, ratio)
        weight: Tensor | float = self.weight
        if self.token_weights is not None:
            weight = weight * self.token_weights[rows]
            return value * weight, slope.mul_(weight[:, None]), log_p
        return value * weight, slope.mul_(weight), log_p


class TokenFigures(NamedTuple):
    """Figures of every token, without gradient.

    Attributes:
        value: [M], the weighted divergence of the first target.
        log_q: [M], log-probability of the token under the policy.
        log_p: [M], under the first target.
        entropy: [M], of the policy, in nats.
    """

    value: Tensor
    log_q: Tensor
    log_p: Tensor
    entropy: Tensor


def token_divergence(
    hidden: Tensor,
    head: nn.Module,
    tokens: Tensor,
    targets: Sequence[Target],
    weights: Tensor,
    advantage: Tensor | None = None,
) -> tuple[Tensor, TokenFigures]:
    """The weighted sum over tokens of ``sum over targets J - advantage log q(token)``.

    Args:
        hidden: [M, H], the policy's features, with gradient.
        head: maps features to logits.
        tokens: int64 [M], the tokens that were taken.
        targets: the distributions that the policy is drawn towards, one at least.
        weights: [M], of each token in the sum, 0 for padding.
        advantage: [M], of the taken tokens (policy gradient); None: 0.

    Returns:
        The sum, with gradients for `hidden` and the parameters of `head`, and the figures.
    """
    work = _Work(head, tokens, targets, weights, advantage)
    if not torch.is_grad_enabled():
        total, _ = work.run(hidden, False)
    else:
        total = _Total.apply(work, hidden, *head.parameters())
    assert work.figures is not None
    return total, work.figures


class _Work:
    """The pass over the chunks."""

    def __init__(
        self,
        head: nn.Module,
        tokens: Tensor,
        targets: Sequence[Target],
        weights: Tensor,
        advantage: Tensor | None,
    ) -> None:
        self.head, self.tokens, self.targets = head, tokens, targets
        self.weights, self.advantage = weights, advantage
        self.figures: TokenFigures | None = None

    def run(self, hidden: Tensor, with_gradients: bool) -> tuple[Tensor, list[Tensor]]:
        """The total, and the gradients of `hidden` and of the head's parameters."""
        parameters = [each for each in self.head.parameters() if each.requires_grad]
        sums = [torch.zeros_like(each) for each in parameters]
        of_hidden = torch.zeros_like(hidden)
        dtype = torch.promote_types(hidden.dtype, torch.float32)
        total = hidden.new_zeros((), dtype=dtype)
        # Written in place: small pieces that outlive a chunk would lie in memory that large ones
        # left, and the next large ones could not use it.
        found = hidden.new_empty(4, len(hidden), dtype=dtype)
        with torch.no_grad():
            count = sum(len(target.features) for target in self.targets)
            vocabulary = self._logits(hidden[:1]).shape[-1]
            for rows in chunk_rows(len(hidden), vocabulary, count, hidden.device):
                with torch.set_grad_enabled(with_gradients):
                    inputs = hidden[rows].detach().requires_grad_(with_gradients)
                    logits = self._logits(inputs)
                value, slope, figures = self._chunk(logits.detach(), rows)
                total += value
                torch.stack(figures, out=found[:, rows])
                if with_gradients:
                    gradients = torch.autograd.grad(
                        logits, [inputs, *parameters], slope.to(logits.dtype)
                    )
                    of_hidden[rows] = gradients[0]
                    for each, gradient in zip(sums, gradients[1:], strict=True):
                        each += gradient
        self.figures = TokenFigures(*found)
        return total, [of_hidden, *sums]

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.head(hidden)
        return logits

    def _chunk(self, logits: Tensor, rows: slice) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Sum, gradient by the logits [C, V] and figures of some tokens."""
        log_q = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        tokens, weights = self.tokens[rows], self.weights[rows]
        value, slope, log_p = self.targets[0].of(log_q, rows)
        # Finite, so that padding, which may be a forbidden token, counts 0 and not NaN.
        first, place = value, tokens[:, None]
        for target in self.targets[1:]:
            more, other, _ = target.of(log_q, rows)
            value, slope = value + more, slope.add_(other)
        q = log_q.exp()
        taken, wanted = (each.gather(1, place).clamp(min=LOWEST) for each in (log_q, log_p))
        if self.advantage is not None:
            advantage = self.advantage[rows]
            value = value - advantage * taken[:, 0]
            slope.addcmul_(q, advantage[:, None]).scatter_add_(1, place, -advantage[:, None])
        entropy = -torch.linalg.vecdot(q, log_q.clamp(min=LOWEST))
        figures = [first, taken[:, 0], wanted[:, 0], entropy]
        return (value * weights).sum(), slope.mul_(weights[:, None]), figures


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, work: _Work, hidden: Tensor, *parameters: Tensor) -> Tensor:
        """The total; the gradients are kept for the backward pass."""
        total, gradients = work.run(hidden, True)
        ctx.trained = [each.requires_grad for each in parameters]
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_total: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of `hidden` and of the head's parameters."""
        of_hidden, *rest = ctx.saved_tensors
        sums = iter(rest)
        parameters = [of_total * next(sums) if each else None for each in ctx.trained]
        return None, of_total * of_hidden, *parameters
