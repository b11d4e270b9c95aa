"""Keys and values of rows in flight; those of a common prefix are kept once.

All rollouts of a prefix begin with the same keys and values. They stay in a pool, a row for each
sequence of the batch, and a row in flight only says which of them is its own and how far it goes.
What it has consumed since stands in a buffer that grows.

A state may be continued more than once, as any value may. The newest state of a buffer writes its
column in place; an older one, or one whose steps need gradients, takes a copy.

Shapes: P sequences of the pool, W positions of the pool, R rows in flight, C columns of the buffer,
H heads, D units of a head.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils._pytree import register_pytree_node

from rollout.devices import reads_synchronise

__all__ = ["Cache", "SelectsRows", "Shared"]

_GROWTH = 8
"""Columns that a buffer grows by."""


class SelectsRows:
    """Base of parts of a state that are not a tensor, row by row: they select and join rows."""

    def select(self, rows: Tensor) -> Any:
        """The part for `rows`."""
        raise NotImplementedError

    @staticmethod
    def concat(states: list[Any]) -> Any:
        """One part out of several."""
        raise NotImplementedError


@dataclass
class Shared(SelectsRows):
    """Tensors that several rows in flight have in common, such as an encoded source.

    Attributes:
        pool: tensors [P, ...], never written to.
        rows: int64 [R], which of the P each row reads; None: each its own, so nothing is copied.
    """

    pool: list[Tensor]
    rows: Tensor | None = None

    def of_rows(self, number: int) -> Tensor:
        """A tensor [R, ...] of the rows: the one with this number in the pool."""
        held = self.pool[number]
        return held if self.rows is None else held.index_select(0, self.rows)

    def select(self, rows: Tensor) -> Shared:
        """The part for `rows` [R]; the pool stays where it is."""
        return Shared(self.pool, rows if self.rows is None else self.rows[rows])

    def numbers(self) -> Tensor:
        """The rows of the pool that are read, int64 [R]."""
        if self.rows is not None:
            return self.rows
        return torch.arange(len(self.pool[0]), device=self.pool[0].device)

    @staticmethod
    def concat(states: list[Shared]) -> Shared:
        """One out of several; nothing is copied if their pool is the same."""
        distinct = {id(state.pool): state.pool for state in states}
        firsts, total = {}, 0
        for key, pool in distinct.items():
            firsts[key], total = total, total + len(pool[0])
        pools = [*distinct.values()]
        if len(pools) > 1:
            widest = max(pool[0].shape[1] for pool in pools)
            pools = [[_to_width(each, widest) for each in pool] for pool in pools]
        joined = pools[0] if len(pools) == 1 else [torch.cat(x) for x in zip(*pools, strict=True)]
        return Shared(joined, torch.cat([x.numbers() + firsts[id(x.pool)] for x in states]))


def _to_width(tensor: Tensor, width: int) -> Tensor:
    """A tensor [P, S, ...] with zeros up to `width` in its second dimension."""
    return pad(tensor, [0, 0] * (tensor.ndim - 2) + [0, width - tensor.shape[1]])


@dataclass
class _Buffer:
    """Keys and values since the prefix.

    Attributes:
        layers: [2, R, H, C, D] for each layer.
        filled: columns that hold something.
    """

    layers: list[Tensor]
    filled: int = 0


@dataclass
class Cache(SelectsRows):
    """The state of a Transformer for R rows.

    Attributes:
        pool: keys and values [2, P, H, W, D] of the prefixes, for each layer; never written to.
        rows: int64 [R], the row of the pool in which each row's prefix stands.
        shared: int64 [R], positions of the pool that belong to it.
        widest: none of `shared` is larger.
        buffer: keys and values since the prefix.
        width: columns of the buffer that belong to this state.
        start: int64 [R], the first of them that belongs to the row.
    """

    pool: list[Tensor]
    rows: Tensor
    shared: Tensor
    widest: int
    buffer: _Buffer
    width: int
    start: Tensor
    _mask: Tensor | None = field(default=None, repr=False)

    @classmethod
    def empty(cls, rows: int, layers: int, heads: int, units: int, like: Tensor) -> Cache:
        """The state of rows that have consumed nothing.

        Args:
            rows: R.
            layers: number of layers.
            heads: H.
            units: D.
            like: a tensor of the device and type that is wanted.
        """
        zeros = torch.zeros(rows, dtype=torch.int64, device=like.device)
        pool = [like.new_empty(2, 1, heads, 0, units) for _ in range(layers)]
        buffer = _Buffer([like.new_empty(2, rows, heads, 0, units) for _ in range(layers)])
        return cls(pool, zeros, zeros, 0, buffer, 0, zeros)

    @classmethod
    def branch(cls, pool: list[Tensor], rows: Tensor, shared: Tensor) -> Cache:
        """The state of rows that have consumed the first `shared` [R] positions of the pool."""
        widest = pool[0].shape[3]
        if not reads_synchronise(shared.device):
            widest = int(shared.max()) if len(shared) else 0
        layers = [each.new_empty(2, len(rows), each.shape[2], 0, each.shape[4]) for each in pool]
        return cls(pool, rows, shared, widest, _Buffer(layers), 0, torch.zeros_like(shared))

    @property
    def positions(self) -> Tensor:
        """Positions that each row has consumed, int64 [R]."""
        return self.shared + self.width - self.start

    def extended(self) -> Cache:
        """The state with one column more, which `attend` fills layer by layer."""
        buffer, width = self.buffer, self.width
        if torch.is_grad_enabled():
            buffer = _Buffer(list(buffer.layers), width + 1)
        elif buffer.filled == width < buffer.layers[0].shape[3]:
            buffer.filled += 1
        else:
            buffer = _Buffer([_grown(each, width) for each in buffer.layers], width + 1)
        return Cache(
            self.pool, self.rows, self.shared, self.widest, buffer, self.width + 1, self.start
        )

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Puts a layer's new keys and values into the last column, and looks at all.

        Args:
            layer: its number.
            query: [R, H, D].
            key: [R, H, D].
            value: [R, H, D].

        Returns:
            The mixed values [R, H, D].
        """
        prefix, own = self._held(layer, key, value)
        query = query[:, :, None] * query.shape[-1] ** -0.5
        scores = torch.cat([query @ each[0].transpose(2, 3) for each in (prefix, own)], 3)
        shares = (scores + self.outside(scores)).softmax(3)
        of_prefix, of_own = shares.split([self.widest, self.width], 3)
        return (of_prefix @ prefix[1] + of_own @ own[1])[:, :, 0]

    def select(self, rows: Tensor) -> Cache:
        """The state of `rows` [R]; the pool stays where it is."""
        own = [each.index_select(1, rows) for each in self.buffer.layers]
        return Cache(
            self.pool,
            self.rows[rows],
            self.shared[rows],
            self.widest,
            _Buffer(own, self.width),
            self.width,
            self.start[rows],
        )

    @staticmethod
    def concat(states: list[Cache]) -> Cache:
        """One state out of several; their pool is kept once if it is the same."""
        if len(states) == 1:
            return states[0]
        pool, firsts = _one_pool([state.pool for state in states])
        width = max(state.width for state in states)
        own = [
            torch.cat([_widened(state, layer, width) for state in states], dim=1)
            for layer in range(len(pool))
        ]
        return Cache(
            pool,
            torch.cat([state.rows + first for state, first in zip(states, firsts, strict=True)]),
            torch.cat([state.shared for state in states]),
            max(state.widest for state in states),
            _Buffer(own, width),
            width,
            torch.cat([state.start + width - state.width for state in states]),
        )

    def appended(self, layer: int, key: Tensor, value: Tensor) -> Tensor:
        """As `attend`, for others to look at: keys and values [2, R, H, W + C, D]."""
        return torch.cat(self._held(layer, key, value), dim=3)

    def _held(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the prefix [2, R, H, W, D] and since then [2, R, H, C, D]."""
        self._put(layer, torch.stack([key, value]))
        prefix = self.pool[layer][:, :, :, : self.widest].index_select(1, self.rows)
        return prefix, self.buffer.layers[layer][:, :, :, : self.width]

    def outside(self, like: Tensor) -> Tensor:
        """[R, 1, 1, W + C]: 0 in the columns that belong to each row, -inf in the others."""
        if self._mask is None:
            places = torch.arange(self.widest + self.width, device=like.device)
            of_pool = places < self.shared[:, None]
            own = places >= self.start[:, None] + self.widest
            nothing = like.new_zeros(())
            self._mask = torch.where(of_pool | own, nothing, -torch.inf)[:, None, None]
        return self._mask

    def _put(self, layer: int, new: Tensor) -> None:
        """Writes `new` [2, R, H, D] into the last column."""
        held, last = self.buffer.layers[layer], self.width - 1
        if torch.is_grad_enabled():
            self.buffer.layers[layer] = torch.cat([held[:, :, :, :last], new[:, :, :, None]], 3)
        else:
            held[:, :, :, last] = new


def _grown(held: Tensor, width: int) -> Tensor:
    """A copy of the first `width` columns with room for more."""
    grown = held.new_empty(*held.shape[:3], width + _GROWTH, held.shape[4])
    grown[:, :, :, :width] = held[:, :, :, :width]
    return grown


def _one_pool(pools: list[list[Tensor]]) -> tuple[list[Tensor], list[int]]:
    """A pool that holds all of `pools`, and the row at which each begins in it.

    Nothing is copied if all that hold any position are the same one.
    """
    filled = [pool for pool in pools if pool[0].shape[3]]
    if all(pool is filled[0] for pool in filled):
        return (filled or pools)[0], [0] * len(pools)
    distinct = {id(pool): pool for pool in filled}
    widest = max(pool[0].shape[3] for pool in filled)
    firsts, total = {}, 0
    for key, pool in distinct.items():
        firsts[key], total = total, total + pool[0].shape[1]
    layers = [
        torch.cat([pad(each, (0, 0, 0, widest - each.shape[3])) for each in layer], dim=1)
        for layer in zip(*distinct.values(), strict=True)
    ]
    return layers, [firsts.get(id(pool), 0) for pool in pools]


def _widened(state: Cache, layer: int, width: int) -> Tensor:
    """A layer's keys and values of a state, with zeros before the first column."""
    own = state.buffer.layers[layer][:, :, :, : state.width]
    return own if state.width == width else pad(own, (0, 0, width - state.width, 0))


def _flatten(state: Cache) -> tuple[list[Any], Any]:
    tensors = [state.pool, state.buffer.layers, state.rows, state.shared, state.start]
    return tensors, (state.widest, state.buffer.filled, state.width)


def _unflatten(children: Any, context: Any) -> Cache:
    pool, layers, rows, shared, start = children
    widest, filled, width = context
    return Cache(pool, rows, shared, widest, _Buffer(layers, filled), width, start)


register_pytree_node(Cache, _flatten, _unflatten)
register_pytree_node(
    Shared,
    lambda part: ([part.pool, *([] if part.rows is None else [part.rows])], None),
    lambda children, _: Shared(*children),
)
