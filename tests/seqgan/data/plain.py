"""The plain loop: one token at a time, no cleverness, to check the sources against."""

from __future__ import annotations

import torch

from rollout.policy import Policy
from rollout.sequences import Sequences


@torch.no_grad()
def sample(policy: Policy, num_sequences: int, seed: int) -> Sequences:
    rng = torch.Generator().manual_seed(seed)
    state = policy.initial_state(num_sequences)
    token = torch.full((num_sequences,), policy.bos_id)
    alive = torch.ones(num_sequences, dtype=torch.bool)
    columns, lengths = [], torch.zeros(num_sequences, dtype=torch.int64)
    for _ in range(policy.max_length):
        logits, state = policy.step(token, state)
        token = torch.multinomial(logits.softmax(-1), 1, generator=rng)[:, 0]
        columns.append(torch.where(alive, token, policy.pad_id))
        lengths += alive
        if policy.eos_id is not None:
            alive = alive & (token != policy.eos_id)
    return Sequences(torch.stack(columns, 1), lengths, ~alive)
