"""The GRU generator.

Shapes: B sequences, T tokens, R rows in flight, V vocabulary, E embedding, H hidden units.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences, State

from ...config.generators.gru import GRU
from ...data.spec import TokenSpec
from ..generator import Generator
from ..head import TokenHead
from ..recurrent import GRU as GRULayers

__all__ = ["GRUGenerator"]


class GRUGenerator(Generator):
    """A GRU language model (Cho et al. 2014) as a policy; labels are read as the LSTM does.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label",)

    def __init__(self, settings: GRU, spec: TokenSpec):
        super().__init__(settings, spec)
        self.embedding = nn.Embedding(spec.vocab_size, settings.embedding)
        self.read_labels(spec, settings.embedding)
        self.gru = GRULayers(settings.embedding, settings.hidden, settings.layers, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = TokenHead(settings.hidden, spec.vocab_size, spec.forbidden)

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """Zeros [R, H] for each layer; then the label's vector [R, E]."""
        zeros = self.head.weight.new_zeros(batch_size, self.gru.hidden_size)
        return [*(zeros for _ in range(self.gru.num_layers)), *self.label_vectors(condition)]

    def advance(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The hidden units [R, H] after one more token, and the new state."""
        layers, label = state[: self.gru.num_layers], state[self.gru.num_layers :]
        inputs = self.dropout(sum(label, self.embedding(tokens)))
        after = []
        for weights, hidden in zip(self.gru.all_weights, layers, strict=True):
            inputs = torch.gru_cell(inputs, hidden, *weights)
            after.append(inputs)
        return self.dropout(inputs), [*after, *label]

    def features(self, sequences: Sequences) -> Tensor:
        """The hidden units [B, T, H] before every token."""
        label = [each[:, None] for each in self.label_vectors(sequences.condition)]
        inputs = self.dropout(sum(label, self.embedding(self._inputs(sequences))))
        hidden: Tensor = self.dropout(self.gru(inputs)[0])
        return hidden
