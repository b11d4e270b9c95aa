"""The plain way to do what the engine does fast: the reference of its tests and of `seqgan-bench`.

One call for every prefix and rollout, each from BOS; `torch.multinomial`; the logits [B, T, V] of a
whole batch at once; `Conv1d` over every window, those in the padding included; autograd throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rollout import Policy, Sequences
from seqgan.models import Discriminator, Generator


def complete(policy: Policy, sequences: Sequences, kept: int, rng: torch.Generator) -> Sequences:
    """`sequences` with their first `kept` tokens kept and new ones after them."""
    batch, device = len(sequences), sequences.device
    tokens = torch.full((batch, policy.max_length), policy.pad_id, device=device)
    lengths = torch.zeros(batch, dtype=torch.int64, device=device)
    state = policy.initial_state(batch, sequences.condition)
    last = torch.full((batch,), policy.bos_id, device=device)
    alive = torch.ones(batch, dtype=torch.bool, device=device)
    for place in range(policy.max_length):
        logits, state = policy.step(last, state)
        if place < kept:
            last = sequences.tokens[:, place]
        else:
            last = torch.multinomial(logits.softmax(-1), 1, generator=rng)[:, 0]
        tokens[:, place] = torch.where(alive, last, tokens[:, place])
        lengths += alive
        if policy.eos_id is not None:
            alive &= last != policy.eos_id
    return Sequences(tokens, lengths)


@torch.no_grad()
def sample(policy: Policy, count: int, rng: torch.Generator, batch_size: int = 64) -> Sequences:
    """`count` sequences, a batch at a time."""
    parts, device = [], rng.device

    for start in range(0, count, batch_size):
        size = min(batch_size, count - start)
        lengths = torch.zeros(size, dtype=torch.int64, device=device)
        nothing = Sequences(torch.zeros(size, 0, dtype=torch.int64, device=device), lengths)
        parts.append(complete(policy, nothing, 0, rng))
    return Sequences.concat(parts, policy.pad_id)


@torch.no_grad()
def action_values(
    policy: Policy, sequences: Sequences, reward, num_rollouts: int, rng: torch.Generator
) -> Tensor:
    """The values [B, T] of `rollout.action_values`, one call for every prefix and rollout."""
    own = reward(sequences)
    values = own[:, None].repeat(1, sequences.tokens.shape[1])
    for t in range(sequences.tokens.shape[1] - 1):
        total = torch.zeros_like(own)
        for _ in range(num_rollouts):
            total += reward(complete(policy, sequences, t + 1, rng))
        inside = t + 1 < sequences.lengths
        values[:, t] = torch.where(inside, total / num_rollouts, own)
    return torch.where(sequences.mask, values, 0.0)


def nll(generator: Generator, sequences: Sequences) -> Tensor:
    """Negative log-likelihood a token, with all logits [B, T, V] at once."""
    bos = sequences.tokens.new_full((len(sequences), 1), generator.bos_id)
    inputs = torch.cat([bos, sequences.tokens[:, :-1]], dim=1)
    hidden = generator.dropout(generator.lstm(generator.dropout(generator.embedding(inputs)))[0])
    log_probs = generator.head(hidden).log_softmax(-1)
    each = functional.nll_loss(log_probs.transpose(1, 2), sequences.tokens, reduction="none")
    return (each * sequences.mask).sum() / sequences.mask.sum()


def cnn_logits(judge: Discriminator, sequences: Sequences) -> Tensor:
    """Logits [B] of the CNN: `Conv1d` over the sequence and its padding, then the maximum."""
    widest = max(judge.widths)
    own = judge.embedding(sequences.tokens).masked_fill(~sequences.mask[..., None], 0.0)
    padded = functional.pad(own.transpose(1, 2), (0, widest - 1))
    pooled = []
    for width, convolution in zip(judge.widths, judge.convolutions, strict=True):
        windows = convolution(padded)
        counts = sequences.lengths + widest - width
        beyond = torch.arange(windows.shape[2], device=windows.device)[None, :] >= counts[:, None]
        pooled.append(windows.masked_fill(beyond[:, None, :], -torch.inf).amax(2).relu())
    features = torch.cat(pooled, dim=1)
    gate = judge.gate(features).sigmoid()
    features = gate * judge.highway(features).relu() + (1 - gate) * features
    return judge.output(judge.dropout(features))[:, 0]


def discriminator_loss(judge: Discriminator, real: Sequences, generated: Sequences) -> Tensor:
    """Binary cross-entropy of real against generated sequences."""
    both = Sequences.concat([real, generated], pad_id=0)
    logits = cnn_logits(judge, both)
    labels = torch.arange(len(both), device=logits.device) < len(real)
    return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
