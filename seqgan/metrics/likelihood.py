"""Log-likelihoods of sequences under a policy, and what follows from two densities.

All values are in nats. PAD never counts, EOS does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rollout import Policy, Sequences
from rollout.modules import evaluating

__all__ = ["SequenceScores", "sequence_scores", "spelling_nll", "token_nll"]


class SequenceScores(NamedTuple):
    """Sums over the tokens of each sequence.

    Attributes:
        log_prob: float64 [B], log-probability in nats.
        entropy: float64 [B], sum of the entropies of the distributions the tokens come from.
        tokens: int64 [B], number of tokens, EOS counted.
    """

    log_prob: Tensor
    entropy: Tensor
    tokens: Tensor


@torch.no_grad()
def sequence_scores(policy: Policy, sequences: Sequences, batch_size: int = 256) -> SequenceScores:
    """Scores every sequence under a policy, without dropout; the result is on the CPU."""
    log_prob, entropy = [], []
    # Sequences of like length together, so that little padding is computed.
    order = sequences.lengths.argsort(stable=True)
    with evaluating(policy):
        for batch in sequences.select(order).split(batch_size):
            scores = policy(batch.trim())
            log_prob.append(scores.log_prob.cpu().double().sum(1))
            entropy.append(scores.entropy.cpu().double().sum(1))
    back = order.argsort().cpu()
    lengths = sequences.lengths.cpu()
    return SequenceScores(torch.cat(log_prob)[back], torch.cat(entropy)[back], lengths)


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
