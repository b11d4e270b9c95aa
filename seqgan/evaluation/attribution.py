"""The share that each token has in a discriminator's log-odds: occlusion, integrated gradients.

Both compare a token with a baseline embedding, which stands for "any token". For a discriminator
that is linear in the embeddings, f = b + sum of w e_t, both give w (e_t - baseline).

Shapes: B sequences, T tokens, E embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from rollout import Sequences
from rollout.sequences import inside

from ..data.dataset import Dataset, random_rows
from ..models import Discriminator

__all__ = [
    "baseline_of", "integrated_gradients", "judged", "left_out", "occlusion", "training_baseline",
]  # fmt: skip

SOME = 2_000
"""Training sequences of which the mean embedding is taken."""

STEPS = 64
"""Points of the path that gradients are integrated along."""


def baseline_of(discriminator: Discriminator, sequences: Sequences) -> Tensor:
    """The mean embedding [E] of the tokens of some sequences, real ones say."""
    tokens = sequences.tokens[sequences.mask]
    mean: Tensor = discriminator.embedding.weight.detach()[tokens].mean(0)
    return mean


def training_baseline(discriminator: Discriminator, data: Dataset) -> Tensor | None:
    """The mean embedding [E] of the tokens of some training sequences, the same each time.

    None for a discriminator of texts, which has no embeddings of tokens.
    """
    if discriminator.reads_text:
        return None
    some = data.train.select(random_rows(data, "train")[:SOME])
    return baseline_of(discriminator, some.to(discriminator.embedding.weight.device))


def judged(
    discriminator: Discriminator, embeddings: Tensor, lengths: Tensor, condition: object
) -> Tensor:
    """Logits [B] of embedded sequences; of a discriminator of tokens their sum."""
    logits = discriminator.forward_embedded(embeddings, lengths, condition)
    if not discriminator.per_token:
        return logits
    return logits.masked_fill(~inside(lengths, logits.shape[1]), 0.0).sum(1)


@torch.no_grad()
def occlusion(discriminator: Discriminator, sequences: Sequences, baseline: Tensor) -> Tensor:
    """Log-odds that are lost with each token: f(x) - f(x with the token's embedding replaced).

    Source: Zeiler and Fergus 2014, section 2.

    Args:
        discriminator: in evaluation mode.
        sequences: the sequences.
        baseline: embedding [E] that takes a token's place.

    Returns:
        [B, T]; positive where the token speaks for "real", 0 after a sequence's end.
    """
    embeddings = discriminator.embedding(sequences.tokens)
    parts = sequences.lengths, sequences.condition
    whole = judged(discriminator, embeddings, *parts)
    lost = torch.zeros(sequences.tokens.shape, dtype=whole.dtype, device=whole.device)
    for place in range(sequences.tokens.shape[1]):
        without = embeddings.clone()
        without[:, place] = baseline
        lost[:, place] = whole - judged(discriminator, without, *parts)
    return lost.masked_fill(~sequences.mask, 0.0)


@torch.no_grad()
def left_out(
    judge: Callable[[Sequences], Tensor], sequences: Sequences, whole: Tensor | None = None
) -> Tensor:
    """Numbers that are lost if a token is left out: f(x) - f(x without it).

    The occlusion of a discriminator of texts, and of any reward of whole sequences.

    Args:
        judge: f, numbers [B] of sequences; it gets no empty ones.
        sequences: the sequences.
        whole: f of the sequences, if it is known.

    Returns:
        [B, T]; positive where the token raises the number, 0 after a sequence's end, and where
        nothing but the token is there.
    """
    whole = judge(sequences) if whole is None else whole
    lost = torch.zeros(sequences.tokens.shape, dtype=whole.dtype, device=whole.device)
    for place in range(sequences.tokens.shape[1]):
        rows = (sequences.lengths > max(place, 1)).nonzero()[:, 0]
        if not len(rows):
            continue
        some = sequences.select(rows)
        tokens = torch.cat([some.tokens[:, :place], some.tokens[:, place + 1 :]], 1)
        without = replace(some, tokens=tokens, lengths=some.lengths - 1)
        lost[rows, place] = whole[rows] - judge(without)
    return lost


def integrated_gradients(
    discriminator: Discriminator, sequences: Sequences, baseline: Tensor, steps: int = STEPS
) -> Tensor:
    """Gradients of the log-odds, integrated from the baseline to the sequence (midpoint rule).

    Their sum over a sequence is f(x) - f(baseline everywhere), up to the error of the rule.
    Source: Sundararajan, Taly and Yan 2017, equation 1.

    Args:
        discriminator: in evaluation mode.
        sequences: the sequences.
        baseline: embedding [E] at the beginning of the path.
        steps: points of the path.

    Returns:
        [B, T]; positive where the token speaks for "real", 0 after a sequence's end.
    """
    target = discriminator.embedding(sequences.tokens).detach()
    start = baseline.expand_as(target)
    total = torch.zeros_like(target)
    with torch.enable_grad():
        for step in range(steps):
            point = torch.lerp(start, target, (step + 0.5) / steps).requires_grad_(True)
            logits = judged(discriminator, point, sequences.lengths, sequences.condition)
            (gradient,) = torch.autograd.grad(logits.sum(), point)
            total += gradient
    parts = ((target - start) * total).sum(2) / steps
    return parts.masked_fill(~sequences.mask, 0.0)
