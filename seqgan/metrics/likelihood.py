"""Log-likelihoods of sequences under a policy, and what follows from two densities.

All values are in nats. PAD never counts, EOS does.

A model that reads noise z has no density that can be computed, only q(x | z). In its place stands
the mixture over `NOISES` draws of z, the same for all sequences and models: ``log 1/K sum_k q(x |
z_k)``. Its expectation over the draws is at most log q(x) (Burda et al. 2016, with the prior as the
proposal), so a negative log-likelihood is a bound from above, which more draws tighten.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rollout import Policy, Sequences
from rollout.completion import default_chunk_size
from rollout.devices import exact_device, reads_synchronise
from rollout.modules import evaluating

__all__ = [
    "NOISES", "SequenceScores", "noise_size_of", "sequence_scores", "spelling_nll", "token_nll",
]  # fmt: skip

NOISES = 16
"""Draws of noise over which the density of a model that reads it is averaged."""

_BATCH = 256
"""Sequences that are scored at once, at least."""


class SequenceScores(NamedTuple):
    """Sums over the tokens of each sequence.

    Attributes:
        log_prob: float64 [B], log-probability in nats.
        entropy: float64 [B], sum of the entropies of the distributions the tokens come from; of a
            model that reads noise minus `log_prob`, whose mean over own samples is the entropy.
        tokens: int64 [B], number of tokens, EOS counted.
    """

    log_prob: Tensor
    entropy: Tensor
    tokens: Tensor


@torch.no_grad()
def sequence_scores(
    policy: Policy, sequences: Sequences, batch_size: int | None = None
) -> SequenceScores:
    """Scores every sequence under a policy, without dropout; the result is on the CPU.

    Noise that samples were drawn with is not looked at.

    Args:
        policy: the model.
        sequences: the sequences.
        batch_size: sequences at once; None: 256 on a CPU, and more where small batches cost more
            calls than work, as far as memory allows.
    """
    noise = _noise_of(policy)
    if batch_size is None:
        batch_size = _batch_size(policy, sequences.device)
    log_prob, entropy = [], []
    # Sequences of like length together, so that little padding is computed.
    order = sequences.lengths.argsort(stable=True)
    with evaluating(policy):
        for batch in sequences.select(order).split(batch_size):
            if noise is not None:
                found = _mixed(policy, batch.trim(), noise)
                log_prob.append(found)
                entropy.append(-found)
                continue
            scores = policy(batch.trim())
            log_prob.append(_totals(scores.log_prob))
            entropy.append(_totals(scores.entropy))
    back = order.argsort().cpu()
    lengths = sequences.lengths.cpu()
    return SequenceScores(torch.cat(log_prob).cpu()[back], torch.cat(entropy).cpu()[back], lengths)


def _batch_size(policy: Policy, device: torch.device) -> int:
    """Sequences that are scored at once; a token of each takes at most a row in flight."""
    if not reads_synchronise(device):
        return _BATCH
    return min(8 * _BATCH, max(_BATCH, default_chunk_size(policy, device) // policy.max_length))


def _totals(values: Tensor) -> Tensor:
    """Sums [B] of values [B, T], added up in float64."""
    return values.to(exact_device(values.device)).double().sum(1)


def noise_size_of(policy: object) -> int:
    """Numbers of noise that a policy reads, or the one that it stands in front of; 0: none."""
    size = getattr(policy, "noise_size", None)
    if size is None:
        behind = getattr(policy, "policy", None)
        return 0 if behind is None else noise_size_of(behind)
    return int(size)


def _noise_of(policy: object) -> Tensor | None:
    """The draws [K, Z] for a policy; None: it reads no noise."""
    size = noise_size_of(policy)
    return torch.randn(NOISES, size, generator=torch.Generator().manual_seed(0)) if size else None


def _mixed(policy: Policy, batch: Sequences, noise: Tensor) -> Tensor:
    """Log-probabilities [B] under the mixture over `noise` [K, Z]."""
    found = []
    for each in noise.to(batch.device):
        condition = {**(batch.condition or {}), "noise": each.expand(len(batch), -1)}
        found.append(_totals(policy(replace(batch, condition=condition)).log_prob))
    return torch.stack(found).logsumexp(0) - math.log(len(noise))


def token_nll(policy: Policy, sequences: Sequences) -> float:
    """Negative log-likelihood in nats per token: all nats over all tokens."""
    scores = sequence_scores(policy, sequences)
    return float(-scores.log_prob.sum() / scores.tokens.sum())


def spelling_nll(unknown: Sequence[Sequence[str]], alphabet: int) -> np.ndarray:
    """Cost of spelling the words that ``<unk>`` stands for, in nats per sequence.

    A model that writes ``<unk>`` has said only that a word is rare, and the more words it does not
    know, the better its likelihood looks. Here each such word is spelled after its ``<unk>``, one
    character after the other, each of the alphabet, any other character, and the end of the word
    equally likely. With it a model of any vocabulary bounds the likelihood of any text, so that the
    likelihoods of models with different vocabularies compare.

    Args:
        unknown: for each of N sequences the words that the vocabulary lacks.
        alphabet: different characters in the training data.

    Returns:
        Float64 [N].
    """
    cost = np.log(alphabet + 2)
    return np.array([cost * sum(len(word) + 1 for word in words) for words in unknown])
