"""The Transformer generator.

Shapes: B sequences, T tokens, R rows in flight, V vocabulary, E width, H heads, D units of a head.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Prefixes, Sequences, State
from rollout.sequences import inside, select_tree

from ...config.generators.transformer import Transformer
from ...data.spec import TokenSpec
from ..attention import Block, Memory, initialise, turn_at
from ..cache import Cache, Shared
from ..generator import Generator
from ..grid import Grid
from ..head import TokenHead
from ..source import TransformerEncoder

__all__ = ["TransformerGenerator"]


class TransformerGenerator(Generator):
    """A decoder-only Transformer as a policy (Vaswani et al. 2017; Radford et al. 2019).

    Pre-norm, with rotary positions (Su et al. 2021) in the place of learned ones, so a longer
    sequence than those of training can be scored. The embedding of a label, and of a noise
    vector, is added to every token's. If the data have sources, it is an encoder-decoder: every
    layer looks at the outputs of an encoder of as many layers.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label", "source")

    def __init__(self, settings: Transformer, spec: TokenSpec):
        super().__init__(settings, spec)
        width, layers, heads = settings.width, settings.layers, settings.heads
        self.units = width // heads
        self.embedding = nn.Embedding(spec.vocab_size, width)
        self.read_labels(spec, width)
        self.read_noise(settings.noise, width)
        self.grid = Grid(spec, width) if settings.grid else None
        across, dropout = bool(spec.source_vocab), settings.dropout
        if across:
            self.encoder = TransformerEncoder(spec, width, layers, heads, dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout, across) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = TokenHead(width, spec.vocab_size, spec.forbidden)
        if settings.tied:
            self.head.tie(self.embedding)
        initialise(self, width, layers)

    @cached_property
    def row_bytes(self) -> int:
        """Memory in bytes of one row in flight at the greatest length.

        Its logits (three arrays, while a token is drawn), its keys and values (twice, while they
        are selected) and what one layer reads of the pool, which itself belongs to no row.
        """
        weight = self.head.weight
        layer = 2 * self.max_length * weight.shape[1] * weight.element_size()
        start = super().row_bytes + 8 * self.vocab_size
        return start + (2 * len(self.blocks) + 1) * layer

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """A cache that holds nothing, the encoded source, and the label's vector [R, E]."""
        heads = self.embedding.embedding_dim // self.units
        like = self.head.weight
        cache = Cache.empty(batch_size, len(self.blocks), heads, self.units, like)
        memory = self._memory(condition)
        return [cache, *memory, *self.condition_vectors(condition)]

    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """The features [R, E] after one more token, and the new state."""
        cache, memory, label = state[0], state[1 : 1 + self._across], state[1 + self._across :]
        turn = turn_at(cache.positions, self.units, self.head.weight)
        units = self.dropout(sum(label, self._placed(embeddings, cache.positions)))
        cache = cache.extended()
        for layer, block in enumerate(self._blocks()):
            units = block.advance(units, turn, cache, layer, _of_layer(memory, layer))
        return self.norm(units), [cache, *memory, *label]

    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, E] before every token."""
        return self.norm(self._passed(sequences, self._memory(sequences.condition)))

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The keys and values of all positions, in one pass."""
        sequences = self.asked(sequences)
        pool: list[Tensor] = []
        memory = self._memory(sequences.condition)
        self._passed(sequences, memory, pool)
        return Prefixes(sequences, (pool, memory))

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The states before the tokens at `positions`: their prefixes stay in the pool."""
        pool, memory = prefixes.states
        vectors = self.condition_vectors(select_tree(prefixes.sequences.condition, rows))
        cache = Cache.branch(pool, rows, positions + 1)
        return [cache, *(each.select(rows) for each in memory), *vectors]

    def _memory(self, condition: Any) -> list[Shared]:
        """Each layer's keys and values of the source, and its mask; nothing without a source."""
        if not self._across:
            return []
        source, lengths = self.part(condition, "source"), self.part(condition, "source_length")
        encoded = self.encoder(source, lengths)
        held = [block.memory(encoded) for block in self._blocks()]
        return [Shared([*held, inside(lengths, source.shape[1])])]

    @property
    def _across(self) -> int:
        """1 with an encoder of sources, else 0."""
        return int("encoder" in self._modules)

    def attention_weights(self, sequences: Sequences) -> Tensor:
        """Attention weights [B, layers, H, T, T]."""
        sequences, weights = self.asked(sequences), list[Tensor]()
        self._passed(sequences, self._memory(sequences.condition), weights=weights)
        return torch.stack(weights, 1)

    def source_weights(self, sequences: Sequences) -> Tensor | None:
        """Attention weights [B, layers, H, T, S] to the source; None without an encoder."""
        if not self._across:
            return None
        sequences, weights = self.asked(sequences), list[Tensor]()
        self._passed(sequences, self._memory(sequences.condition), across=weights)
        return torch.stack(weights, 1)

    def _placed(self, embeddings: Tensor, positions: Tensor) -> Tensor:
        """Embeddings [..., E] with those of their places in a picture, if these are read."""
        return embeddings if self.grid is None else embeddings + self.grid(positions)

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def _passed(
        self,
        sequences: Sequences,
        memory: list[Shared],
        pool: list[Tensor] | None = None,
        weights: list[Tensor] | None = None,
        across: list[Tensor] | None = None,
    ) -> Tensor:
        """The last layer's outputs [B, T, E].

        Puts each layer's keys and values [2, B, H, T, D] into `pool`, its attention into `weights`
        and that to the source into `across`, where they are wanted.
        """
        inputs = self._inputs(sequences)
        label = [each[:, None] for each in self.condition_vectors(sequences.condition)]
        places = torch.arange(inputs.shape[1], device=inputs.device)
        turn = turn_at(places, self.units, self.head.weight)
        units = self.dropout(sum(label, self._placed(self.embedding(inputs), places)))
        for layer, block in enumerate(self._blocks()):
            if weights is not None:
                weights.append(block.weights(units, turn, None))
            if across is not None:
                across.append(
                    block.source_weights(
                        units, turn, memory[0].of_rows(layer), memory[0].of_rows(-1)
                    )
                )
            units, held = block(units, turn, None, _of_layer(memory, layer))
            if pool is not None:
                pool.append(torch.stack(held))
        return units


def _of_layer(memory: list[Shared], layer: int) -> Memory | None:
    """A layer's memory of the source, row by row, if there is one."""
    return (memory[0].of_rows(layer), memory[0].of_rows(-1)) if memory else None
