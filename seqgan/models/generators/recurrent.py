"""The part that LSTM and GRU generators share: all but the cell.

Shapes: B sequences, T tokens, R rows in flight, E embedding, H hidden units.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rollout import Sequences, State
from rollout.sequences import inside

from ...config import LSTM
from ...config.generators.gru import GRU
from ...data.spec import TokenSpec
from ..cache import Shared
from ..generator import Generator
from ..grid import Grid
from ..head import TokenHead
from ..source import Attention, RecurrentEncoder

__all__ = ["RecurrentGenerator"]


class RecurrentGenerator(Generator):
    """A recurrent language model as a policy.

    The embedding of a label, and of a noise vector, is added to every token's. Dropout falls on the
    inputs, between layers and on the outputs.

    Args:
        settings: sizes, dropout, tied embeddings, noise.
        spec: the token ids.
    """

    reads = ("label", "source")
    cells: ClassVar[tuple[str, Callable[..., nn.RNNBase]]]
    """Name of the recurrent layers in a saved model, and their class."""

    def __init__(self, settings: LSTM | GRU, spec: TokenSpec):
        super().__init__(settings, spec)
        size, hidden, layers = settings.embedding, settings.hidden, settings.layers
        self.embedding = nn.Embedding(spec.vocab_size, size)
        self.read_labels(spec, size)
        self.read_noise(settings.noise, size)
        self.grid = Grid(spec, size) if settings.grid else None
        name, kind = self.cells
        between = settings.dropout if layers > 1 else 0.0
        self.add_module(name, kind(size, hidden, layers, batch_first=True, dropout=between))
        self.dropout = nn.Dropout(settings.dropout)
        outputs = hidden
        if settings.tied and hidden != size:
            self.projection, outputs = nn.Linear(hidden, size, bias=False), size
        self.head = TokenHead(outputs, spec.vocab_size, spec.forbidden)
        if settings.tied:
            self.head.tie(self.embedding)
        if spec.source_vocab:
            self.encoder = RecurrentEncoder(spec, kind, size, hidden, settings.dropout)
            self.attention = Attention(outputs, hidden)

    @property
    def layers(self) -> nn.RNNBase:
        """The recurrent layers."""
        found = self._modules[self.cells[0]]
        assert isinstance(found, nn.RNNBase)
        return found

    @abstractmethod
    def initial_layer(self, zeros: Tensor) -> Any:
        """The state of one layer before BOS, made of zeros [R, H]."""

    @abstractmethod
    def cell(self, inputs: Tensor, state: Any, weights: Sequence[Tensor]) -> tuple[Tensor, Any]:
        """The outputs [R, H] of one layer after one more token, and its new state."""

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """Zeros for each layer; the position [R], if it is read; the condition's vector [R, E]."""
        zeros = self.head.weight.new_zeros(batch_size, self.layers.hidden_size)
        layers = [self.initial_layer(zeros) for _ in range(self.layers.num_layers)]
        position = [] if self.grid is None else [zeros[:, 0].to(torch.int64)]
        vectors = self.condition_vectors(condition)
        return [*layers, *position, *vectors, *self._memory(condition)]

    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """The features [R, H] after one more token, and the new state."""
        count, last = self.layers.num_layers, len(state) - ("encoder" in self._modules)
        layers, more, memory = state[:count], state[count:last], state[last:]
        if self.grid is not None:
            position, *condition = more
            embeddings, more = embeddings + self.grid(position), [position + 1, *condition]
        else:
            condition = more
        units, after = sum(condition, embeddings), []
        for weights, layer in zip(self.layers.all_weights, layers, strict=True):
            units, layer = self.cell(self.dropout(units), layer, weights)
            after.append(layer)
        features = self._projected(self.dropout(units))
        for each in memory:
            features = self.attention(features[:, None], each.of_rows(0), each.of_rows(1))[:, 0]
        return features, [*after, *more, *memory]

    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, H] before every token."""
        features = self._decoded(sequences)
        for memory in self._memory(sequences.condition):
            features = self.attention(features, *memory.pool)
        return features

    def source_weights(self, sequences: Sequences) -> Tensor | None:
        """Attention weights [B, 1, 1, T, S] to the source; None without one."""
        sequences = self.asked(sequences)
        for memory in self._memory(sequences.condition):
            weights: Tensor = self.attention.weights(self._decoded(sequences), *memory.pool)
            return weights[:, None, None]
        return None

    def _decoded(self, sequences: Sequences) -> Tensor:
        """The features [B, T, H] before every token, which have not looked at a source yet."""
        condition = [each[:, None] for each in self.condition_vectors(sequences.condition)]
        embeddings = self.embedding(self._inputs(sequences))
        if self.grid is not None:
            places = torch.arange(embeddings.shape[1], device=embeddings.device)
            embeddings = embeddings + self.grid(places)
        inputs = self.dropout(sum(condition, embeddings))
        return self._projected(self.dropout(self.layers(inputs)[0]))

    def _memory(self, condition: Any) -> list[Shared]:
        """The encoded source [B, S, H] and its mask [B, S]; nothing without a source."""
        if "encoder" not in self._modules:
            return []
        source, lengths = self.part(condition, "source"), self.part(condition, "source_length")
        pool = [self.encoder(source, lengths), inside(lengths, source.shape[1])]
        return [Shared(pool)]

    def _projected(self, units: Tensor) -> Tensor:
        """Features of the size of the embeddings, where the output layer has their weights."""
        projection = self._modules.get("projection")
        return units if projection is None else projection(units)
