"""One step of a relaxed draw: a soft or straight-through one-hot vector instead of a token.

With Gumbel noise g, ``argmax(logits + g)`` is an exact draw of a token (Gumbel 1954). Replacing the
argmax by a softmax gives a vector through which a gradient flows back to the logits (Jang et al.
2017; Maddison et al. 2017). The noise is made of uniform numbers that belong to a place, so that a
draw does not depend on chunks or on the order of the work.

Shapes: R rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .randomness import UniformStream
from .shapes import check_rank

__all__ = [
    "TEMPERATURE_SCHEDULES",
    "gumbel_max",
    "gumbel_noise",
    "gumbel_noise_at",
    "gumbel_softmax",
]


def gumbel_noise(uniforms: Tensor) -> Tensor:
    """``g = -log(-log u)``, standard Gumbel numbers.

    Args:
        uniforms: numbers in (0, 1), of any shape. Their precision limits the largest g: 23 bits
            give at most 16.6, so that tokens of probability below some 2^-24 are never drawn, and
            the 52 bits of `UniformStream` 36.7.

    Returns:
        As many numbers of the same type.
    """
    return -torch.log(-torch.log(uniforms))


def gumbel_noise_at(stream: UniformStream, rows: Tensor, position: int, vocab_size: int) -> Tensor:
    """Gumbel numbers [R, V] that belong to their row, token and position.

    Args:
        stream: uniform numbers by place.
        rows: int64 [R], keys of the rows as `UniformStream.rows` gives them.
        position: of the token that is drawn.
        vocab_size: V.

    Returns:
        float32 [R, V].

    Raises:
        ValueError: `rows` is not [R].
    """
    check_rank(1, rows=rows)
    tokens = torch.arange(vocab_size, device=rows.device)
    keys = stream.rows(rows[:, None], tokens[None, :])
    return gumbel_noise(stream.uniforms(keys, position)).to(rows.device, torch.float32)


def gumbel_max(logits: Tensor, noise: Tensor) -> Tensor:
    """The token ``argmax(logits + g)``: an exact draw from ``softmax(logits)``.

    Args:
        logits: [R, V]; -inf for a token that cannot be drawn, finite for one at least.
        noise: Gumbel numbers [R, V].

    Returns:
        int64 [R].

    Raises:
        ValueError: two shapes that differ, or are not [R, V].
    """
    return _disturbed(logits, noise).argmax(-1)


def gumbel_softmax(
    logits: Tensor, noise: Tensor, temperature: float | Tensor, *, hard: bool = False
) -> Tensor:
    """A relaxed one-hot vector, ``softmax((logits + g) / temperature)`` (Jang et al. 2017, eq. 2).

    Its largest entry is at the token of `gumbel_max`. As the temperature falls it nears the one-hot
    vector and the variance of its gradient grows; the gradient is that of the soft vector, biased
    for the loss of true tokens.

    Args:
        logits: [R, V]; -inf for a token that cannot be drawn, finite for one at least.
        noise: Gumbel numbers [R, V].
        temperature: above 0.
        hard: return the exact one-hot vector of the drawn token, with the gradient of the soft one
            ("straight-through", Bengio et al. 2013).

    Returns:
        [R, V], rows that sum to 1.

    Raises:
        ValueError: two shapes that differ or are not [R, V], or a temperature that is not above 0.
    """
    if not isinstance(temperature, Tensor) and not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    disturbed = _disturbed(logits, noise)
    # Less the largest, and by a divisor that the type can hold: no quotient is NaN.
    limits = torch.finfo(disturbed.dtype)
    if not isinstance(temperature, Tensor):
        temperature = min(max(temperature, limits.tiny), limits.max)
    largest = disturbed.detach().amax(-1, keepdim=True)
    soft = ((disturbed - largest) / temperature).softmax(-1)
    if not hard:
        return soft
    one_hot: Tensor = _StraightThrough.apply(soft, disturbed.argmax(-1))
    return one_hot


def _disturbed(logits: Tensor, noise: Tensor) -> Tensor:
    check_rank(2, logits=logits, noise=noise)
    if logits.shape != noise.shape:
        raise ValueError(f"noise must be {list(logits.shape)} like logits, got {list(noise.shape)}")
    return logits + noise.to(device=logits.device, dtype=logits.dtype)


class _StraightThrough(torch.autograd.Function):
    """Exactly one-hot ahead, the identity backwards; ``hard + soft - soft`` would be rounded."""

    @staticmethod
    def forward(ctx: Any, soft: Tensor, tokens: Tensor) -> Tensor:
        """One-hot vectors [R, V] of `tokens` [R]."""
        return torch.zeros_like(soft).scatter_(-1, tokens[:, None], 1.0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """The gradient of the one-hot vectors for the soft ones."""
        return grad, None


def _constant(done: float, start: float, end: float) -> float:
    return start


def _linear(done: float, start: float, end: float) -> float:
    return start + done * (end - start)


def _exponential(done: float, start: float, end: float) -> float:
    return start * (end / start) ** done


TEMPERATURE_SCHEDULES: dict[str, Callable[[float, float, float], float]] = {
    "constant": _constant,
    "linear": _linear,
    "exponential": _exponential,
}
"""``schedule(done, start, end)``, with the share `done` of the steps from 0 to 1 and temperatures
above 0. "exponential" from 1 to 1 / b is RelGAN's inverse temperature ``b^done`` (Nie et al.
2019)."""
