"""Policies whose exact values are known: a Markov chain given by a table."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from rollout import Policy, Sequences


class Chain(nn.Module, Policy):
    """Next-token logits that depend on the last token only: row = last token, BOS = row V."""

    def __init__(self, logits: Tensor, max_length: int, eos_id: int | None = None):
        super().__init__()
        self.vocab_size = logits.shape[1]
        self.bos_id, self.pad_id = self.vocab_size, 0
        self.eos_id, self.max_length = eos_id, max_length
        self.table = nn.Parameter(logits.clone())

    @staticmethod
    def random(vocab: int, length: int, eos_id: int | None = None, seed: int = 0) -> Chain:
        rng = torch.Generator().manual_seed(seed)
        return Chain(1.3 * torch.randn(vocab + 1, vocab, generator=rng), length, eos_id)

    def initial_state(self, batch_size, condition=None):
        return torch.zeros(batch_size, 1)

    def step(self, tokens, state):
        return self.table[tokens], state

    def probs(self) -> Tensor:
        return self.table.detach().double().softmax(-1)

    def expected_count(self, token: int) -> Tensor:
        """[L, V]: expected number of `token` among the tokens to come, by tokens left and last."""
        probs = self.probs()[: self.vocab_size]
        value = torch.zeros(self.max_length + 1, self.vocab_size, dtype=torch.double)
        hit = (torch.arange(self.vocab_size) == token).double()
        for left in range(1, self.max_length + 1):
            go_on = value[left - 1].clone()
            if self.eos_id is not None:
                go_on[self.eos_id] = 0
            value[left] = probs @ (hit + go_on)
        return value


def count_of(token: int):
    """Reward: how often `token` stands in a sequence."""

    def reward(sequences: Sequences) -> Tensor:
        return ((sequences.tokens == token) & sequences.mask).sum(1).float()

    return reward


def exact_count_values(chain: Chain, sequences: Sequences, token: int) -> Tensor:
    """The action values [B, T] of `count_of(token)` in closed form."""
    ahead = chain.expected_count(token)
    values = torch.zeros(sequences.tokens.shape, dtype=torch.double)
    for b, row in enumerate(sequences.to_lists()):
        for t, last in enumerate(row):
            left = 0 if last == chain.eos_id else chain.max_length - t - 1
            if t == len(row) - 1:
                left = 0
            values[b, t] = row[: t + 1].count(token) + (ahead[left, last] if left else 0)
    return values


def all_sequences(chain: Chain) -> tuple[Sequences, Tensor]:
    """Every sequence of a chain without EOS, and its probability (float64)."""
    rows = list(itertools.product(range(chain.vocab_size), repeat=chain.max_length))
    probs = chain.probs()
    weights = []
    for row in rows:
        weight, last = 1.0, chain.bos_id
        for token in row:
            weight *= probs[last, token].item()
            last = token
        weights.append(weight)
    batch = Sequences.from_lists([list(row) for row in rows], pad_id=0)
    return batch, torch.tensor(weights, dtype=torch.double)
