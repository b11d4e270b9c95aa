"""Batches of token sequences, the one currency of the toolkit.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from .devices import reads_synchronise

__all__ = [
    "ConditionError",
    "Key",
    "Sequences",
    "concat_trees",
    "distinct_sequences",
    "inside",
    "keys_of",
    "map_tree",
    "refuse_condition",
    "select_tree",
]


def inside(lengths: Tensor, width: int) -> Tensor:
    """Bool [B, `width`], True at the places before the ends of sequences of `lengths` [B]."""
    return torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]


class ConditionError(ValueError):
    """A condition came to a model that would not have read it."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of B sequences of at most T tokens.

    The mask comes from the lengths alone, never from ``tokens != pad_id``: a policy may emit every
    id, the padding id among them.

    Attributes:
        tokens: int64 [B, T]; no BOS; EOS kept where it was emitted; PAD after a sequence's end.
        lengths: int64 [B], number of tokens of each sequence, EOS counted.
        terminated: bool [B], True where EOS was emitted, False where the length limit cut the
            sequence (or where nobody said). ``None`` becomes all False.
        condition: a pytree of tensors, batch first, or None: a label, a source sequence, a
            latent vector.

    Raises:
        ValueError: a shape or dtype is not as above.
    """

    tokens: Tensor
    lengths: Tensor
    terminated: Tensor | None = None
    condition: Any = None

    def __post_init__(self) -> None:
        if self.tokens.ndim != 2 or self.tokens.dtype != torch.int64:
            raise ValueError(
                f"Sequences.tokens must be int64 [B, T], got {self.tokens.dtype} "
                f"{list(self.tokens.shape)}"
            )
        batch = self.tokens.shape[0]
        if self.lengths.shape != (batch,) or self.lengths.dtype != torch.int64:
            raise ValueError(
                f"Sequences.lengths must be int64 [{batch}], got {self.lengths.dtype} "
                f"{list(self.lengths.shape)}"
            )
        if self.terminated is None:
            unknown = torch.zeros(batch, dtype=torch.bool, device=self.tokens.device)
            object.__setattr__(self, "terminated", unknown)
        elif self.terminated.shape != (batch,) or self.terminated.dtype != torch.bool:
            raise ValueError(
                f"Sequences.terminated must be bool [{batch}], got {self.terminated.dtype} "
                f"{list(self.terminated.shape)}"
            )
        for leaf in tree_leaves(self.condition):
            if leaf is None:
                continue
            if not isinstance(leaf, Tensor) or leaf.ndim == 0 or leaf.shape[0] != batch:
                raise ValueError(
                    f"Sequences.condition must be a pytree of tensors with first dimension {batch}"
                )

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def batch_size(self) -> int:
        """B, the number of sequences."""
        return self.tokens.shape[0]

    @property
    def device(self) -> torch.device:
        """Device of the tokens."""
        return self.tokens.device

    @cached_property
    def mask(self) -> Tensor:
        """Bool [B, T], True at the tokens of each sequence (EOS included), False after."""
        return inside(self.lengths, self.tokens.shape[1])

    @property
    def last(self) -> Tensor:
        """Bool [B, T], True at the last token of each sequence."""
        places = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return places[None, :] == self.lengths[:, None] - 1

    def select(self, rows: Tensor | slice) -> Sequences:
        """The sequences at `rows` (int64 [R], bool [B] or a slice), in that order."""
        assert self.terminated is not None
        return Sequences(
            self.tokens[rows],
            self.lengths[rows],
            self.terminated[rows],
            map_tree(lambda leaf: leaf[rows], self.condition),
        )

    def split(self, size: int) -> Iterable[Sequences]:
        """Consecutive batches of `size` sequences; the last may be smaller."""
        for start in range(0, len(self), size):
            yield self.select(slice(start, start + size))

    def trim(self, *, wait: bool = True) -> Sequences:
        """The same sequences without the columns that are padding for all.

        Args:
            wait: also where reading the lengths makes the host wait for the device; otherwise the
                columns stay there.
        """
        if not wait and reads_synchronise(self.device):
            return self
        longest = int(self.lengths.max()) if len(self) else 0
        return Sequences(self.tokens[:, :longest], self.lengths, self.terminated, self.condition)

    def narrow(self, width: int) -> Sequences:
        """The same sequences in their first `width` columns; the others must be padding."""
        return Sequences(self.tokens[:, :width], self.lengths, self.terminated, self.condition)

    def to(self, device: torch.device | str) -> Sequences:
        """The same sequences on another device."""
        assert self.terminated is not None
        return Sequences(
            self.tokens.to(device),
            self.lengths.to(device),
            self.terminated.to(device),
            map_tree(lambda leaf: leaf.to(device), self.condition),
        )

    def to_lists(self) -> list[list[int]]:
        """The tokens of each sequence as Python integers, padding removed, EOS kept."""
        return [
            row[:length]
            for row, length in zip(self.tokens.tolist(), self.lengths.tolist(), strict=True)
        ]

    @staticmethod
    def from_lists(
        rows: list[list[int]], pad_id: int, *, terminated: bool = False, width: int | None = None
    ) -> Sequences:
        """A batch from Python lists of token ids.

        Args:
            rows: one list of ids a sequence, EOS included where it was emitted.
            pad_id: the id that fills the columns after a sequence's end.
            terminated: whether the sequences end in EOS.
            width: T; by default the longest row.
        """
        width = max((len(row) for row in rows), default=0) if width is None else width
        tokens = torch.full((len(rows), width), pad_id, dtype=torch.int64)
        for i, row in enumerate(rows):
            tokens[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        return Sequences(tokens, lengths, torch.full((len(rows),), terminated))

    @staticmethod
    def concat(batches: list[Sequences], pad_id: int) -> Sequences:
        """One batch out of several; narrower ones are filled with `pad_id` on the right."""
        width = max(batch.tokens.shape[1] for batch in batches)
        tokens = [
            torch.nn.functional.pad(batch.tokens, (0, width - batch.tokens.shape[1]), value=pad_id)
            for batch in batches
        ]
        return Sequences(
            torch.cat(tokens),
            torch.cat([batch.lengths for batch in batches]),
            torch.cat([batch.terminated for batch in batches if batch.terminated is not None]),
            concat_trees([batch.condition for batch in batches]),
        )


Key: TypeAlias = tuple[tuple[int, ...], tuple[float, ...]]
"""Tokens of a sequence, and the numbers of its condition."""


def keys_of(sequences: Sequences) -> list[Key]:
    """Keys on the host that equal sequences share which were asked for the same."""
    rows, condition = sequences.to_lists(), sequences.condition
    leaves = tree_leaves({} if condition is None else condition)
    asked = [leaf.reshape(len(rows), -1).tolist() for leaf in leaves]
    return [(tuple(row), tuple(x for leaf in asked for x in leaf[i])) for i, row in enumerate(rows)]


_STEP = 8
"""Widths on devices that record shapes are multiples of this, so that there are few."""


def padded_width(lengths: Tensor, width: int) -> int:
    """Columns that hold sequences of these lengths (on the host), of `width` at most."""
    longest = int(lengths.max()) if len(lengths) else 0
    return min(width, -(-longest // _STEP) * _STEP)


_FEW = 0.9
"""Equal sequences are put together where at most this share of a batch is distinct."""
_MANY = 4_096
"""Sequences that are worth one look at the device, where a look makes the host wait."""
_MULTIPLIER = 6364136223846793005
"""Of Knuth's linear congruential generator MMIX, for polynomial hashes modulo 2^64."""


def distinct_sequences(sequences: Sequences) -> tuple[Sequences, Tensor | None]:
    """The distinct sequences of a batch, where there are so many equal ones that it pays.

    Returns:
        The distinct sequences, and for each of the batch its number among them (int64 [B]); the
        batch itself and None where few are equal, where a condition belongs to them, and where
        looking would make the host wait for less than some thousands of sequences.
    """
    least = _MANY if reads_synchronise(sequences.device) else 2
    if sequences.condition is not None or len(sequences) < least:
        return sequences, None
    tokens = sequences.tokens.masked_fill(~sequences.mask, -1)
    hashes = sequences.lengths.clone()
    for column in tokens.unbind(1):
        hashes = hashes * _MULTIPLIER + column
    ordered, order = hashes.sort()
    numbers = torch.zeros_like(order)
    numbers[order[1:]] = (ordered[1:] != ordered[:-1]).cumsum(0)
    rows = torch.zeros_like(order)
    rows[numbers] = torch.arange(len(sequences), device=rows.device)  # any of those that are equal
    # Different sequences with one hash are as good as never.
    equal = (tokens[rows[numbers]] == tokens).all()
    highest, alike = torch.stack([numbers.max(), equal.long()]).tolist()  # the one look
    if highest + 1 > _FEW * len(sequences) or not alike:
        return sequences, None
    return sequences.select(rows[: highest + 1]), numbers


def map_tree(function: Callable[..., Tensor], *trees: Any) -> Any:
    """`function` on the tensors of trees of the same structure; None stays None."""
    return tree_map(lambda *leaves: None if leaves[0] is None else function(*leaves), *trees)


def refuse_condition(model: Any, condition: Any) -> None:
    """Nothing for a model that reads conditions, or where there is none.

    Raises:
        ConditionError: ``model.conditional`` is False, and there is one.
    """
    if condition is not None and not model.conditional:
        raise ConditionError(
            f"{type(model).__name__} reads no condition; take a model that does, or leave it out"
        )


def select_tree(tree: Any, rows: Tensor) -> Any:
    """`tree` with `rows` taken from the first dimension of every tensor in it."""
    return map_tree(lambda leaf: leaf.index_select(0, rows.to(leaf.device)), tree)


def concat_trees(trees: list[Any]) -> Any:
    """Trees of the same structure joined along the first dimension of every tensor."""
    if len(trees) == 1:
        return trees[0]
    return map_tree(lambda *leaves: torch.cat(leaves), *trees)
