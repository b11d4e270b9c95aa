"""Finds out if a reward per token looks at tokens after its own.

Policy gradients credit a token with the rewards from its own on. A reward that an earlier token
gets for what comes later is then never credited to the tokens that earned it, and the gradient is
biased. So a few sequences are judged a second time with other tokens after some position: up to
there, nothing may change.

Shapes: B sequences, T tokens, V variants.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .sequences import Sequences, select_tree

__all__ = ["LookAhead", "Variants", "find_look_ahead", "look_ahead_of", "variants_of"]

_ENOUGH = 16
"""Variants that a reward is tried with. The first batch has as many, but in an environment, where
few sequences end together."""
_TRIED: dict[int, tuple[weakref.ref[Callable[..., Tensor]], int]] = {}
"""Variants that each reward was tried with so far, by its identity."""

_ROWS = 4
"""Sequences that are tried."""
_ROUNDING = 1e-4
"""Differences below this share of the largest value are not looked at."""


@dataclass(frozen=True)
class Variants:
    """Sequences of a batch, each twice, and variants of them.

    Attributes:
        sequences: the B' originals, the same again, then V variants.
        originals: int64 [V], the original of each variant, a row of `sequences`.
        kept: int64 [V], how many of its first tokens a variant keeps.
    """

    sequences: Sequences
    originals: Tensor
    kept: Tensor


@dataclass(frozen=True)
class LookAhead:
    """Two sequences that are equal up to a token, and its two rewards.

    Attributes:
        position: of the token, from 0.
        pair: the two sequences.
        values: the two rewards of the token.
    """

    position: int
    pair: Sequences
    values: tuple[float, float]


def look_ahead_of(
    reward: Callable[..., Tensor], judge: Callable[[Sequences], Tensor], sequences: Sequences
) -> LookAhead | None:
    """Two sequences that show a reward to look ahead; None if they are not found.

    They are looked for in the first batches that a reward judges, until enough was tried.

    Args:
        reward: a reward per token.
        judge: calls it, [B, T].
        sequences: a batch.
    """
    key = id(reward)
    known, count = _TRIED.get(key, (None, 0))
    if known is None or known() is not reward:
        count = 0
    variants = variants_of(sequences) if count < _ENOUGH else None
    if variants is None:
        return None
    found = find_look_ahead(judge, variants)
    if found is None and type(reward).__weakrefoffset__:
        forgotten = weakref.ref(reward, lambda _: _TRIED.pop(key, None))
        _TRIED[key] = (forgotten, count + len(variants.kept))
    return found


def variants_of(sequences: Sequences) -> Variants | None:
    """Variants of a few sequences of a batch; None where it has nothing to make any of.

    All is made of pieces that occur in the batch, so that a variant is a sequence that the policy
    could have emitted: after some of its tokens a sequence goes on as another one does at that
    place (which changes its length as well), or with its own later tokens turned round, or, if it
    ended by EOS, ends there.
    """
    terminated = sequences.terminated
    assert terminated is not None
    rows, ended = sequences.to_lists(), terminated.tolist()
    long = [b for b, row in enumerate(rows) if len(row) >= 2]
    chosen = long[:: max(1, len(long) // _ROWS)][:_ROWS]
    made = [
        (i, cut, *variant)
        for i, b in enumerate(chosen)
        for cut in sorted({1, len(rows[b]) // 2, len(rows[b]) - 1})
        for variant in _endings(rows, ended, b, cut)
    ]
    if not made:
        return None
    unused = sequences.tokens[~sequences.mask]
    all_rows = [rows[b] for b in chosen] * 2 + [row for _, _, row, _ in made]
    batch = Sequences.from_lists(
        all_rows,
        pad_id=int(unused[0]) if len(unused) else rows[chosen[0]][-1],
        width=sequences.tokens.shape[1],
    )
    originals = [i for i, *_ in made]
    sources = torch.tensor([chosen[i] for i in [*range(len(chosen))] * 2 + originals])
    device = sequences.device
    batch = Sequences(
        batch.tokens.to(device),
        batch.lengths.to(device),
        torch.tensor([ended[b] for b in chosen] * 2 + [end for *_, end in made], device=device),
        select_tree(sequences.condition, sources.to(device)),
    )
    return Variants(batch, torch.tensor(originals), torch.tensor([cut for _, cut, *_ in made]))


def _endings(
    rows: list[list[int]], ended: list[bool], b: int, cut: int
) -> Iterator[tuple[list[int], bool]]:
    """Variants of row b that keep its first `cut` tokens, and if they end by EOS."""
    row = rows[b]
    others = [c for c in [*range(b + 1, len(rows)), *range(b)] if len(rows[c]) > cut]
    donors = {min(others, key=lambda c: len(rows[c])), others[0], others[-1]} if others else set()
    candidates = [(row[:cut] + rows[c][cut:], ended[c]) for c in sorted(donors)]
    end = len(row) - ended[b]
    candidates.append((row[:cut] + row[cut:end][::-1] + row[end:], ended[b]))
    if ended[b]:
        candidates.append((row[:cut] + row[-1:], True))
    seen = [(row, ended[b])]
    for candidate in candidates:
        if candidate not in seen:
            seen.append(candidate)
            yield candidate


def find_look_ahead(judge: Callable[[Sequences], Tensor], variants: Variants) -> LookAhead | None:
    """The largest change of a token's reward by tokens after it; None where there is none.

    A reward that is not the same for the same sequence twice draws random numbers: of differences
    as large as that nothing can be said.

    Args:
        judge: a reward per token, [B, T].
        variants: of a batch.
    """
    values = judge(variants.sequences).cpu()
    count = (len(values) - len(variants.kept)) // 2
    noise = (values[:count] - values[count : 2 * count]).abs().max()
    changes = (values[2 * count :] - values[variants.originals]).abs()
    places = torch.arange(values.shape[1])
    changes = changes.masked_fill(places >= variants.kept[:, None], 0.0)
    if not changes.max() > torch.maximum(noise * 10, _ROUNDING * values.abs().max()):
        return None
    variant, position = divmod(int(changes.argmax()), values.shape[1])
    pair = torch.stack([variants.originals[variant], torch.tensor(2 * count + variant)])
    first, second = values[pair, position].tolist()
    selected = variants.sequences.select(pair.to(variants.sequences.device))
    return LookAhead(position, selected, (first, second))
