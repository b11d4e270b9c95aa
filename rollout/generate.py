"""Complete sequences from a policy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .completion import (
    Flight,
    Joining,
    default_chunk_size,
    default_compaction,
    empty_output,
    policy_device,
    rounded_down,
)
from .graphs import Graphs, can_record
from .modules import evaluating
from .policy import Policy
from .randomness import UniformStream
from .sampling import Sampler
from .sequences import Sequences, refuse_condition, select_tree

__all__ = ["generate"]

_DEFAULT = Sampler()


@torch.no_grad()
def generate(
    policy: Policy,
    num_sequences: int,
    *,
    sampler: Sampler = _DEFAULT,
    rng: torch.Generator | None = None,
    condition: Any = None,
    prefix: Sequences | Tensor | list[int] | None = None,
    chunk_size: int | None = None,
    compact_every: int | None = None,
    row_offset: int = 0,
    graphs: Graphs | None = None,
) -> Sequences:
    """Samples complete sequences, each to EOS or to ``policy.max_length``.

    Args:
        policy: what predicts the next token; used in evaluation mode (no dropout).
        num_sequences: how many sequences.
        sampler: temperature, top-k, top-p.
        rng: the source of randomness (one number is drawn from it); None: torch's default.
        condition: a pytree of tensors with first dimension `num_sequences`, or None.
        prefix: tokens that every sequence begins with: ids [P], or a batch of `num_sequences`
            sequences of any lengths. They stand at the beginning of the result. A prefix that
            already ended (terminated, or max_length tokens) comes back as it is.
        chunk_size: rows at once; by default what suits the device. It changes no result beyond
            the rounding of the policy's logits.
        compact_every: finished rows are dropped every so many tokens (0: never); by default 1 on
            a CPU, 8 on a GPU, where dropping makes the host wait for the device, and 0 without
            EOS, where no row ends early, and where all sequences fit into one recording.
        row_offset: the number of the first sequence, if these are a shard of a larger batch. Random
            numbers belong to a sequence's number: shards that are sampled apart, each with a `rng`
            in the same state, are together what the whole batch would have been.
        graphs: recordings of earlier calls, on devices that have graphs, for sequences without a
            prefix if no rows are dropped.

    Returns:
        Sequences with tokens [num_sequences, policy.max_length].

    Raises:
        ValueError: `num_sequences` below 1, `row_offset` below 0, or a prefix of a wrong size.
        ConditionError: a condition, and a policy that reads none.
    """
    if num_sequences < 1:
        raise ValueError(f"num_sequences must be 1 or more, got {num_sequences}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be 1 or more, got {chunk_size}")
    if row_offset < 0:
        raise ValueError(f"row_offset must be 0 or more, got {row_offset}")
    refuse_condition(policy, condition)
    begun = _begin(policy, num_sequences, prefix, condition)
    size = chunk_size or default_chunk_size(policy, begun.device)
    if compact_every is None:
        fits = num_sequences <= rounded_down(size) and not begun.tokens.shape[1]
        at_once = fits and can_record(graphs, begun.device, _completed)
        compact_every = default_compaction(policy, begun.device, at_once)
    key, how = UniformStream(rng, begun.device).key, (policy, sampler, compact_every)
    with evaluating(policy):
        if graphs is None or compact_every or begun.tokens.shape[1]:
            tokens, lengths, terminated = _completed(begun, key, how, size, row_offset)
        else:
            size = min(num_sequences, rounded_down(size))
            found = graphs.run(_completed, begun, key, how, size, row_offset)
            tokens, lengths, terminated = found
    return Sequences(tokens, lengths, terminated, condition)


def _completed(
    begun: Sequences,
    key: Tensor,
    how: tuple[Policy, Sampler, int],
    chunk_size: int,
    row_offset: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, lengths and `terminated` of sequences with these beginnings.

    A function of its arguments alone, so that it can be recorded.
    """
    (policy, sampler, compact_every), count = how, len(begun)
    tokens, lengths, terminated = empty_output(policy, count, begun.device)
    width = begun.tokens.shape[1]
    if width:
        tokens[:, :width] = torch.where(begun.mask, begun.tokens, policy.pad_id)
        lengths += begun.lengths
        assert begun.terminated is not None
        terminated |= begun.terminated
    stream = UniformStream.of(key)
    flight = Flight(policy, sampler, stream, tokens, lengths, terminated, compact_every)
    for start in range(0, count, chunk_size):
        rows = torch.arange(start, min(start + chunk_size, count), device=begun.device)
        joinings = _joinings(policy, begun, rows, stream, row_offset)
        if joinings:
            flight.run(joinings)
    return tokens, lengths, terminated


def _begin(policy: Policy, count: int, prefix: Any, condition: Any) -> Sequences:
    """The prefixes as a batch; of width 0 where there are none."""
    if isinstance(prefix, Sequences):
        if len(prefix) != count or prefix.tokens.shape[1] > policy.max_length:
            raise ValueError(
                f"prefix must hold {count} sequences of at most {policy.max_length} tokens, "
                f"got {list(prefix.tokens.shape)}"
            )
        return Sequences(prefix.tokens, prefix.lengths, prefix.terminated, condition)
    device = policy_device(policy)
    ids = torch.as_tensor([] if prefix is None else prefix, dtype=torch.int64, device=device)
    if ids.ndim != 1 or len(ids) > policy.max_length:
        raise ValueError(
            f"prefix must be ids [P] with P at most max_length = {policy.max_length}, "
            f"got shape {list(ids.shape)}"
        )
    lengths = torch.full((count,), len(ids), dtype=torch.int64, device=device)
    return Sequences(ids[None].expand(count, -1), lengths, None, condition)


def _joinings(
    policy: Policy, begun: Sequences, rows: Tensor, stream: UniformStream, row_offset: int
) -> list[Joining]:
    """The rows of a chunk grouped by the length of their prefix, shortest first."""

    def join(position: int, chosen: Tensor, tokens: Tensor, state: Any) -> Joining:
        keys = stream.rows((chosen + row_offset)[:, None])
        return Joining(position, tokens, state, keys, chosen[:, None])

    if begun.tokens.shape[1] == 0:
        condition = select_tree(begun.condition, rows)
        bos = torch.full_like(rows, policy.bos_id)
        return [join(0, rows, bos, policy.initial_state(len(rows), condition))]
    chunk = begun.select(rows)
    assert chunk.terminated is not None
    prefixes = policy.prefix_states(chunk)
    joinings = []
    lengths = chunk.lengths.masked_fill(chunk.terminated, policy.max_length)
    for length in sorted(set(lengths.tolist())):
        if length >= policy.max_length:
            continue
        local = (lengths == length).nonzero()[:, 0]
        if length == 0:
            state = policy.initial_state(len(local), select_tree(chunk.condition, local))
            bos = torch.full_like(local, policy.bos_id)
            joinings.append(join(0, rows[local], bos, state))
        else:
            positions = torch.full_like(local, length - 1)
            state = policy.branch(prefixes, local, positions)
            joinings.append(join(length, rows[local], chunk.tokens[local, length - 1], state))
    return joinings
