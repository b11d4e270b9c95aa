"""The LSTM generator: the policy of the SeqGAN paper, with the regularisation of a tuned one.

Shapes: B sequences, T tokens, R rows in flight, V vocabulary, E embedding, H hidden units.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sequences, State

from ...config import LSTM
from ...data.spec import TokenSpec
from ..generator import Generator
from ..head import TokenHead
from ..recurrent import LSTM as LSTMLayers

__all__ = ["LSTMGenerator"]


class LSTMGenerator(Generator):
    """An LSTM language model as a policy; the embedding of a label is added to every token's.

    Args:
        settings: sizes, dropout, initial scale.
        spec: the token ids.
    """

    reads = ("label",)

    def __init__(self, settings: LSTM, spec: TokenSpec):
        super().__init__(settings, spec)
        self.embedding = nn.Embedding(spec.vocab_size, settings.embedding)
        self.read_labels(spec, settings.embedding)
        self.lstm = LSTMLayers(
            settings.embedding, settings.hidden, settings.layers, batch_first=True
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.head = TokenHead(settings.hidden, spec.vocab_size, spec.forbidden)
        if settings.initial_scale is not None:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=settings.initial_scale)

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """Zeros: for each layer h and c, both [R, H]; then the label's vector [R, E]."""
        zeros = self.head.weight.new_zeros(batch_size, self.lstm.hidden_size)
        layers = [(zeros, zeros) for _ in range(self.lstm.num_layers)]
        return [*layers, *self.label_vectors(condition)]

    def advance(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The hidden units [R, H] after one more token, and the new state."""
        layers, label = state[: self.lstm.num_layers], state[self.lstm.num_layers :]
        inputs = self.dropout(sum(label, self.embedding(tokens)))
        after = []
        for weights, (h, c) in zip(self.lstm.all_weights, layers, strict=True):
            h, c = torch.lstm_cell(inputs, (h, c), *weights)
            after.append((h, c))
            inputs = h
        return self.dropout(inputs), [*after, *label]

    def features(self, sequences: Sequences) -> Tensor:
        """The hidden units [B, T, H] before every token."""
        label = [each[:, None] for each in self.label_vectors(sequences.condition)]
        inputs = self.dropout(sum(label, self.embedding(self._inputs(sequences))))
        hidden: Tensor = self.dropout(self.lstm(inputs)[0])
        return hidden
