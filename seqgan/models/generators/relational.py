"""The relational memory generator of RelGAN.

Shapes: B sequences, T tokens, R rows in flight, S slots, W width, H heads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from rollout import Sequences, State

from ...config.generators.relational import Relational
from ...data.spec import TokenSpec
from ..generator import Generator
from ..head import TokenHead

__all__ = ["RelationalGenerator"]


class RelationalGenerator(Generator):
    """A relational memory core (Santoro et al. 2018) as a policy (RelGAN, Nie et al. 2019).

    The state is a memory M of S vectors. A token's vector x is one more row; every slot attends to
    all rows, passes two layers with residuals and norms, and is gated against what it was::

        A = norm(M + attention(M, [M; x]));  A = norm(A + mlp(A))
        M' = sigmoid(W_i x + U_i tanh M + b_i) tanh A + sigmoid(W_f x + U_f tanh M + b_f) M

    (their equations 1 to 8; norms per vector.) The memory begins as the rows of the identity. The
    embedding of a label, and of a noise vector, is added to every token's.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    reads = ("label",)
    start: Tensor  # [S, W]

    def __init__(self, settings: Relational, spec: TokenSpec):
        super().__init__(settings, spec)
        size, width, self.heads = settings.embedding, settings.width, settings.heads
        self.embedding = nn.Embedding(spec.vocab_size, size)
        self.read_labels(spec, size)
        self.read_noise(settings.noise, size)
        self.register_buffer("start", torch.eye(settings.slots, width), persistent=False)
        self.input = nn.Linear(size, width)
        self.query = nn.Linear(width, width, bias=False)
        self.pair = nn.Linear(width, 2 * width, bias=False)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.gate_input = nn.Linear(width, 2 * width)
        self.gate_memory = nn.Linear(width, 2 * width, bias=False)
        with torch.no_grad():
            self.gate_input.bias.zero_()[width:] = 1.0  # remembers at first
        self.dropout = nn.Dropout(settings.dropout)
        self.head = TokenHead(settings.slots * width, spec.vocab_size, spec.forbidden)

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """The memory [R, S, W], and the condition's vector [R, E]."""
        memory = self.start.to(self.head.weight.dtype).repeat(batch_size, 1, 1)
        return [memory, *self.condition_vectors(condition)]

    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """The features [R, S W] after one more token, and the new state."""
        memory, *condition = state
        memory = self.remembered(memory, self.dropout(sum(condition, embeddings)))
        return self.dropout(memory.flatten(1)), [memory, *condition]

    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, S W] before every token, one position after another."""
        state = self.initial_state(len(sequences), sequences.condition)
        found = []
        for tokens in self._inputs(sequences).unbind(1):
            features, state = self.advance(tokens, state)
            found.append(features)
        return torch.stack(found, 1)

    def remembered(self, memory: Tensor, vectors: Tensor) -> Tensor:
        """The memory [R, S, W] after one more token, given by vectors [R, E]."""
        new = self.input(vectors)[:, None]
        rows = torch.cat([memory, new.to(memory.dtype)], 1)
        queries = self._of_heads(self.query(memory))
        keys, values = (self._of_heads(each) for each in self.pair(rows).chunk(2, -1))
        attended = scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2)
        units = self.norms[0](memory + attended)
        units = self.norms[1](units + self.mlp(units))
        gates = self.gate_input(new) + self.gate_memory(memory.tanh())
        write, keep = gates.sigmoid().chunk(2, -1)
        return (write * units.tanh() + keep * memory).to(memory.dtype)

    def _of_heads(self, units: Tensor) -> Tensor:
        """[R, N, W] as [R, H, N, W / H]."""
        return units.unflatten(2, (self.heads, -1)).transpose(1, 2)
