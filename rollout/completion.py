"""Rows in flight: sequences being completed token by token, all at the same position.

This is the inner loop of `generate` and of `action_values`. Rows join at the position where their
prefix ends, every step samples one token for each row in flight, and rows that have ended are
dropped now and then ("compaction", the one place where the host reads from the device).

Shapes: R rows in flight, P prefixes, N rollouts a prefix, S rows of the output, L max_length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from .devices import CACHE_BYTES, keep_freed_memory, reads_synchronise
from .modules import modules_of
from .policy import Policy, State
from .randomness import UniformStream
from .sampling import Sampler
from .sequences import Sequences

__all__ = ["Flight", "Joining", "default_chunk_size"]


def default_chunk_size(policy: Policy, device: torch.device) -> int:
    """Rows at once: on a CPU their logits stay in the cache, on a GPU within a memory budget.

    A row takes ``policy.row_bytes``.
    """
    budget = CACHE_BYTES if device.type == "cpu" else 1 << 30
    if device.type == "cuda":
        budget = min(budget, torch.cuda.mem_get_info(device)[0] // 8)
    return max(64, budget // policy.row_bytes)


def rounded_down(rows: int) -> int:
    """A power of two, at most `rows`: the memory that is left varies, and recordings must not."""
    return 1 << (rows.bit_length() - 1)


def default_compaction(policy: Policy, device: torch.device, at_once: bool = False) -> int:
    """Tokens between two droppings of finished rows; on a GPU each makes the host wait.

    0 without EOS, where no row ends early, and where all rows are completed at once as a graph: it
    cannot drop any, and launching its operations one by one takes longer than the rows that have
    ended.

    Args:
        policy: whose rows they are.
        device: where.
        at_once: all rows are one chunk, and it can be recorded.
    """
    if policy.eos_id is None or at_once:
        return 0
    return 8 if reads_synchronise(device) else 1


_AHEAD = 8
"""Token positions whose uniform numbers are drawn together."""

_Flying: TypeAlias = tuple[Tensor, State, Tensor, Tensor, Tensor, Tensor]
"""Last tokens [R], policy state, random keys [R], the uniforms [_AHEAD, R] of the positions around
this one, output rows [R], and who has not ended [R]."""


@dataclass(frozen=True)
class Joining:
    """Prefixes whose completions join the flight together.

    Attributes:
        position: where their next token goes, the same for all.
        tokens: int64 [P], their last tokens (BOS for an empty prefix).
        state: the policy's state before `tokens`, P rows.
        keys: int64 [P, N], the random keys of the rows.
        slots: int64 [P, N], the rows of the output they are written to.
        strata: (n, M): the first uniform of column j here is moved into ((n + j) / M,
            (n + j + 1) / M), so that the M rollouts of a prefix are spread evenly over (0, 1),
            which takes variance out of their mean; None: independent rollouts.
    """

    position: int
    tokens: Tensor
    state: State
    keys: Tensor
    slots: Tensor
    strata: tuple[int, int] | None = None


class Flight:
    """Completes sequences into an output batch.

    Args:
        policy: what predicts the next token.
        sampler: how it is drawn.
        stream: the uniform numbers.
        tokens: int64 [S, L], the output, prefixes filled in, padding elsewhere.
        lengths: int64 [S], the lengths of the prefixes; grows to the lengths of the sequences.
        terminated: bool [S], all False; set where EOS is emitted.
        compact_every: finished rows are dropped every so many tokens; 0: never.
    """

    def __init__(
        self,
        policy: Policy,
        sampler: Sampler,
        stream: UniformStream,
        tokens: Tensor,
        lengths: Tensor,
        terminated: Tensor,
        compact_every: int,
    ):
        self.policy, self.sampler, self.stream = policy, sampler.reusing_memory(), stream
        self.output, self.lengths, self.terminated = tokens, lengths, terminated
        self.compact_every = compact_every
        self.synchronisations = 0
        keep_freed_memory()

    def run(self, joinings: list[Joining]) -> None:
        """Completes all rows of `joinings`, which come in the order of their positions."""
        with self.policy.drawing(self.output.device):
            self._run(list(joinings))

    def _run(self, waiting: list[Joining]) -> None:
        flying: _Flying | None = None
        for position in range(waiting[0].position, self.policy.max_length):
            parts = []
            if flying is not None:
                tokens, state, keys, numbers, slots, alive = flying
                if position % _AHEAD == 0:
                    numbers = self.stream.ahead(keys, position, _AHEAD)
                uniforms = numbers[position % _AHEAD]
                tokens, state = self.policy.sample_next(tokens, state, uniforms, self.sampler)
                parts.append((tokens, state, keys, numbers, slots, alive))
            while waiting and waiting[0].position == position:
                parts.append(self._first_tokens(waiting.pop(0)))
            flying = self._emit(self._joined(parts), position) if parts else None
            if flying is None and not waiting:
                return

    def _first_tokens(self, new: Joining) -> _Flying:
        """One prediction a prefix serves all its N rollouts."""
        place = new.position % _AHEAD
        numbers = self.stream.ahead(new.keys, new.position - place, _AHEAD)
        uniforms, count = numbers[place], new.keys.shape[1]
        if new.strata is not None:
            first, total = new.strata
            strata = torch.arange(first, first + count, device=uniforms.device)
            uniforms = (strata + uniforms) / total
        tokens, state = self.policy.sample_next(new.tokens, new.state, uniforms, self.sampler)
        tokens = tokens.flatten()
        if count > 1:
            rows = torch.arange(new.keys.shape[0], device=tokens.device)
            state = self.policy.select(
                state, rows.repeat_interleave(count, output_size=len(tokens))
            )
        alive = torch.ones_like(tokens, dtype=torch.bool)
        return tokens, state, new.keys.flatten(), numbers.flatten(1), new.slots.flatten(), alive

    def _joined(self, parts: list[_Flying]) -> _Flying:
        if len(parts) == 1:
            return parts[0]
        tokens, states, keys, numbers, slots, alive = zip(*parts, strict=True)
        return (
            torch.cat(tokens),
            self.policy.concat(list(states)),
            torch.cat(keys),
            torch.cat(numbers, dim=1),
            torch.cat(slots),
            torch.cat(alive),
        )

    def _emit(self, rows: _Flying, position: int) -> _Flying | None:
        """Writes the tokens drawn; returns the rows that go on, None where none does."""
        tokens, state, keys, numbers, slots, alive = rows
        policy = self.policy
        last = position + 1 >= policy.max_length
        if policy.eos_id is None:
            self.output[slots, position] = tokens
            if last:
                self.lengths[slots] = policy.max_length
            return None if last else rows
        self.output[slots, position] = tokens.masked_fill(~alive, policy.pad_id)
        self.lengths.index_add_(0, slots, alive.to(torch.int64))
        ended = tokens == policy.eos_id
        self.terminated[slots] |= alive & ended
        alive = alive & ~ended
        if last:
            return None
        if self.compact_every and (position + 1) % self.compact_every == 0:
            self.synchronisations += 1
            kept = alive.nonzero()[:, 0]
            if len(kept) == 0:
                return None
            if len(kept) < len(tokens):
                tokens, keys, slots, alive = tokens[kept], keys[kept], slots[kept], alive[kept]
                numbers, state = numbers[:, kept.to(numbers.device)], policy.select(state, kept)
        return tokens, state, keys, numbers, slots, alive


def empty_output(policy: Policy, rows: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens [S, L] of padding, lengths [S] of 0 and terminated [S] of False."""
    tokens = torch.full((rows, policy.max_length), policy.pad_id, dtype=torch.int64, device=device)
    lengths = torch.zeros(rows, dtype=torch.int64, device=device)
    return tokens, lengths, torch.zeros(rows, dtype=torch.bool, device=device)


def policy_device(policy: Policy, sequences: Sequences | None = None) -> torch.device:
    """Device of a policy: that of its sequences, else of its parameters, else the CPU."""
    if sequences is not None:
        return sequences.device
    for module in modules_of(policy):
        for tensor in (*module.parameters(), *module.buffers()):
            return tensor.device
    return torch.device("cpu")
