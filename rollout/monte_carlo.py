"""Action values by Monte Carlo rollouts (Yu et al. 2017, equation 4).

Q(s = Y_1:t-1, a = y_t) is the expected reward of the complete sequence after token t was emitted,
estimated by N completions sampled from the rollout policy. The paper samples each of them from
scratch. Here one pass gives the policy's state after every prefix; the rollouts of all prefixes
advance together, position by position, new rows joining; and each continues from one prediction per
prefix.

Shapes: B sequences, T tokens, N rollouts, P prefixes, L max_length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .completion import (
    Flight,
    Joining,
    default_chunk_size,
    default_compaction,
    empty_output,
    rounded_down,
)
from .devices import is_out_of_memory, warn_of_smaller_chunks
from .graphs import Graphs, can_record
from .modules import evaluating
from .policy import Policy, Prefixes
from .randomness import UniformStream
from .rewards import Reward, judges_tokens, reward_values
from .sampling import Sampler
from .sequences import Sequences, refuse_condition, select_tree

__all__ = ["action_values"]

_DEFAULT = Sampler()
_MAX_TOKENS = 1 << 24
"""Tokens of completions held at once (128 MB); more are worked off in blocks of sequences."""


@torch.no_grad()
def action_values(
    policy: Policy,
    sequences: Sequences,
    reward: Reward,
    num_rollouts: int,
    *,
    sampler: Sampler = _DEFAULT,
    rng: torch.Generator | None = None,
    positions: Sequence[int] | None = None,
    max_completions: int | None = None,
    stratified: bool = False,
    chunk_size: int | None = None,
    compact_every: int | None = None,
    on_smaller_chunks: Callable[[int], None] = warn_of_smaller_chunks,
    row_offset: int = 0,
    batch_total: int | None = None,
    graphs: Graphs | None = None,
    own: Tensor | None = None,
) -> Tensor:
    """The expected reward after each token of each sequence was emitted.

    Column t is estimated by `num_rollouts` completions sampled from `policy` after the prefix
    ``tokens[:, :t + 1]``, each run to EOS or to ``policy.max_length``. At a sequence's last token
    it is the reward of the sequence itself, and after it 0. A reward with ``per_token = True``
    counts from token t on: column t is the expected sum of the rewards of tokens t, t + 1, ...
    (With ``causal = False`` as well, it counts as a reward of the sequence, their sum.)

    Every completed token takes one uniform number fixed by its place (sequence, prefix, rollout,
    position), so the result does not depend on `chunk_size` nor on `compact_every`, up to the
    rounding of the policy's logits.

    Args:
        policy: the rollout policy: the generator itself or a lagged copy; used without dropout.
        sequences: B complete sequences of at most ``policy.max_length`` tokens.
        reward: what judges complete sequences.
        num_rollouts: N, completions a prefix.
        sampler: how the rollouts' tokens are drawn.
        rng: the source of randomness (one number is drawn from it); None: torch's default.
        positions: columns to estimate (0-based); None: all. A column that is not estimated takes
            the value of the next one that is (plus the token's own reward, where the reward is
            given per token).
        max_completions: at most this many completions in all: fewer columns, evenly spread, are
            estimated where all would be more.
        stratified: spread the first uniforms of a prefix's rollouts evenly: the same expected
            value and no larger variance, but the N rollouts are no longer independent.
        chunk_size: completions advanced at once; by default what suits the device. Where memory
            runs out it is halved, and the work goes on.
        compact_every: finished rows are dropped every so many tokens (0: never, then nothing
            makes the host wait for the device); by default 1 on a CPU, 8 on a GPU, and 0 without
            EOS, where no row ends early, and where all completions fit into one recording.
        on_smaller_chunks: called with the chunk size that memory was enough for, where the one
            before was too large; by default it warns.
        row_offset: the number of the first sequence, if these are a shard of a larger batch. Random
            numbers belong to a sequence's number: shards that are estimated apart, each with a
            `rng` in the same state and the same T, are together what the whole batch would be.
        batch_total: sequences of that larger batch, which `max_completions` counts; None: these
            are all.
        graphs: recordings of the completions of earlier calls, on devices that have graphs, if no
            rows are dropped.
        own: what `reward_values` gives for the sequences themselves, if it is known; None: the
            reward is asked.

    Returns:
        Tensor [B, T], float32.

    Raises:
        ValueError: a number out of range.
        ConditionError: sequences with a condition, and a policy that reads none.
        RewardError: the reward raised an error, returned no reward, or judges tokens by later ones
            without ``causal = False``.
    """
    if num_rollouts < 1:
        raise ValueError(f"num_rollouts must be 1 or more, got {num_rollouts}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be 1 or more, got {chunk_size}")
    if sequences.tokens.shape[1] > policy.max_length:
        raise ValueError(
            f"sequences of {sequences.tokens.shape[1]} tokens are longer than the policy's "
            f"max_length = {policy.max_length}"
        )
    refuse_condition(policy, sequences.condition)
    if row_offset < 0 or (batch_total is not None and batch_total < row_offset + len(sequences)):
        raise ValueError(
            f"row_offset must be 0 or more and batch_total at least row_offset + {len(sequences)}, "
            f"got {row_offset} and {batch_total}"
        )
    batch_size = len(sequences) if batch_total is None else batch_total
    columns = _columns(sequences, batch_size, num_rollouts, positions, max_completions)
    device = sequences.device
    given = chunk_size or default_chunk_size(policy, device)
    if compact_every is None:
        rows = len(sequences) * len(columns) * num_rollouts
        at_once = rows <= rounded_down(given) and can_record(graphs, device, _completions)
        compact_every = default_compaction(policy, device, at_once)
    if compact_every:
        graphs = None
    elif graphs is not None:
        given = rounded_down(given)
    way = _Way(policy, sampler, num_rollouts, stratified, compact_every)
    work = _Rollouts(way, reward, UniformStream(rng, device), given, graphs)
    values = _own_values(reward_values(reward, sequences) if own is None else own, sequences)
    # What a token is rewarded with by itself, on top of what comes after it.
    own = values.clone() if judges_tokens(reward) else torch.zeros_like(values)
    known = sequences.last
    each = len(columns) * num_rollouts * policy.max_length
    block_size = max(1, _MAX_TOKENS // max(1, each))
    with evaluating(policy):
        for start in range(0, len(sequences), block_size):
            block = slice(start, start + block_size)
            work.estimate(
                sequences.select(block), row_offset + start, columns, values[block], known[block]
            )
    if work.chunk_size < given:
        on_smaller_chunks(work.chunk_size)
    return _fill_backwards(values, known, own, sequences.mask)


@dataclass(frozen=True)
class _Piece:
    """Rollouts `rollout_from` .. `rollout_to` - 1 of the prefixes of `rows` that end at `t`."""

    t: int
    rows: Tensor
    slot: int
    rollout_from: int
    rollout_to: int


@dataclass(frozen=True)
class _Way:
    """All that completions are drawn by but their random numbers."""

    policy: Policy
    sampler: Sampler
    count: int
    stratified: bool
    compact_every: int


@dataclass
class _Rollouts:
    """One call of `action_values`; `chunk_size` shrinks where memory runs out."""

    way: _Way
    reward: Reward
    stream: UniformStream
    chunk_size: int
    graphs: Graphs | None

    def estimate(
        self, sequences: Sequences, offset: int, columns: list[int], values: Tensor, known: Tensor
    ) -> None:
        """Writes the columns of a block of sequences (rows `offset` on) into `values`."""
        plan, count = self._plan(sequences, columns), self.way.count
        if not plan:
            return
        judged = reward_values(self.reward, self._completed(sequences, plan, offset))
        for piece in plan:
            part = judged[piece.slot : piece.slot + len(piece.rows) * count]
            if part.ndim == 2:
                part = part[:, piece.t :].sum(1)
            mean = part.view(-1, count).mean(1)
            inside = piece.t + 1 < sequences.lengths[piece.rows]
            column = values[piece.rows, piece.t]
            values[piece.rows, piece.t] = torch.where(inside, mean, column)
            known[piece.rows, piece.t] |= inside

    def _plan(self, sequences: Sequences, columns: list[int]) -> list[_Piece]:
        """All prefixes to estimate, those that end first first."""
        everyone = torch.arange(len(sequences), device=sequences.device)
        lengths, count = sequences.lengths, self.way.count
        looks = bool(self.way.compact_every)
        if looks:  # the host looks at the lengths, and ended sequences cost nothing
            longer = (lengths[:, None] > torch.tensor(columns, device=lengths.device) + 1).cpu()
        plan, slot = [], 0
        for i, t in enumerate(columns):
            rows = longer[:, i].nonzero()[:, 0].to(lengths.device) if looks else everyone
            if len(rows):
                plan.append(_Piece(t, rows, slot, 0, count))
                slot += len(rows) * count
        return plan

    def _completed(self, sequences: Sequences, plan: list[_Piece], offset: int) -> Sequences:
        """The completions of a plan, with half as many at once until memory is enough."""
        total = sum(len(piece.rows) for piece in plan) * self.way.count
        while True:
            size = min(self.chunk_size, total)  # no more were ever at work
            inputs = sequences, self.stream.key, self.way, size, plan, offset
            try:
                if self.graphs is None:
                    return _completions(*inputs)
                found: Sequences = self.graphs.run(_completions, *inputs)
                return found
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            # Out of the except clause, which holds the tensors that were in the way.
            self.chunk_size = size // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _completions(
    sequences: Sequences,
    key: Tensor,
    way: _Way,
    chunk_size: int,
    plan: list[_Piece],
    offset: int,
) -> Sequences:
    """N completions of every prefix, in the order of the plan.

    A function of its arguments alone, so that it can be recorded.
    """
    policy, count, stream = way.policy, way.count, UniformStream.of(key)
    rows = torch.cat([piece.rows for piece in plan])
    total = len(rows) * count
    rows = rows.repeat_interleave(count, output_size=total)
    tokens, lengths, terminated = empty_output(policy, total, sequences.device)
    for piece in plan:
        place = slice(piece.slot, piece.slot + len(piece.rows) * count)
        tokens[place, : piece.t + 1] = sequences.tokens[rows[place], : piece.t + 1]
        lengths[place] = piece.t + 1
    flight = Flight(policy, way.sampler, stream, tokens, lengths, terminated, way.compact_every)
    prefixes = policy.prefix_states(sequences)
    for chunk in _chunks(plan, count, chunk_size):
        flight.run([_join(way, stream, prefixes, piece, offset) for piece in chunk])
    return Sequences(tokens, lengths, terminated, select_tree(sequences.condition, rows))


def _chunks(plan: list[_Piece], count: int, chunk_size: int) -> Iterator[list[_Piece]]:
    """The plan cut into chunks of at most `chunk_size` rows."""
    chunk: list[_Piece] = []
    space = chunk_size
    for piece in _cut(plan, count, chunk_size):
        size = len(piece.rows) * (piece.rollout_to - piece.rollout_from)
        if size > space:
            yield chunk
            chunk, space = [], chunk_size
        chunk.append(piece)
        space -= size
    yield chunk


def _cut(plan: list[_Piece], count: int, chunk_size: int) -> Iterator[_Piece]:
    """Pieces of at most `chunk_size` rows: some prefixes, or some rollouts of one prefix."""
    prefixes = max(1, chunk_size // count)
    rollouts = min(chunk_size, count)
    for piece in plan:
        for start in range(0, len(piece.rows), prefixes):
            rows = piece.rows[start : start + prefixes]
            for first in range(0, count, rollouts):
                last = min(first + rollouts, count)
                yield _Piece(piece.t, rows, piece.slot + start * count, first, last)


def _join(
    way: _Way, stream: UniformStream, prefixes: Prefixes, piece: _Piece, offset: int
) -> Joining:
    """The rollouts of a piece as rows that join the flight."""
    device = piece.rows.device
    positions = torch.full_like(piece.rows, piece.t)
    numbers = torch.arange(piece.rollout_from, piece.rollout_to, device=device)
    starts = torch.arange(len(piece.rows), device=device) * way.count
    return Joining(
        position=piece.t + 1,
        tokens=prefixes.sequences.tokens[piece.rows, piece.t],
        state=way.policy.branch(prefixes, piece.rows, positions),
        keys=stream.rows((piece.rows + offset)[:, None], positions[:, None], numbers),
        slots=piece.slot + starts[:, None] + numbers,
        strata=(piece.rollout_from, way.count) if way.stratified else None,
    )


def _columns(
    sequences: Sequences,
    batch_size: int,
    num_rollouts: int,
    positions: Sequence[int] | None,
    max_completions: int | None,
) -> list[int]:
    """The columns to estimate, ascending. The last one needs no rollouts."""
    width = sequences.tokens.shape[1]
    columns = sorted(set(range(width) if positions is None else positions))
    if columns and not (0 <= columns[0] and columns[-1] < width):
        raise ValueError(f"positions must lie in 0 .. {width - 1}, got {list(positions or [])}")
    columns = [t for t in columns if t < width - 1]
    if max_completions is None or not columns:
        return columns
    affordable = max_completions // (batch_size * num_rollouts)
    if affordable < 1:
        raise ValueError(
            f"max_completions = {max_completions} does not pay for one column: "
            f"{batch_size} sequences x {num_rollouts} rollouts"
        )
    if affordable >= len(columns):
        return columns
    spread = torch.linspace(0, len(columns) - 1, affordable).round().long().tolist()
    return [columns[i] for i in spread]


def _own_values(own: Tensor, sequences: Sequences) -> Tensor:
    """The sequences' own rewards in every column: exact at their last token."""
    if own.ndim == 1:
        return own[:, None].expand(-1, sequences.tokens.shape[1]).clone()
    return own.clone()


def _fill_backwards(values: Tensor, known: Tensor, own: Tensor, mask: Tensor) -> Tensor:
    """Columns that were not estimated take the next known value; 0 after a sequence's end.

    A token's own reward, where tokens have one, comes on top of that value.
    """
    filled = values.clone()
    for t in range(values.shape[1] - 2, -1, -1):
        filled[:, t] = torch.where(known[:, t], values[:, t], own[:, t] + filled[:, t + 1])
    return torch.where(mask, filled, 0.0)
