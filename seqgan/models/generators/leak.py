"""LeakGAN's generator: a manager that sees the discriminator's features, and a worker.

Shapes: B sequences, T tokens, R rows in flight, F filters of the discriminator, G goal.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from rollout import Sequences, State

from ...config import CNN
from ...config.generators.leak import Leak
from ...data.spec import TokenSpec
from ..discriminators.cnn import CNNDiscriminator
from ..generator import Generator
from ..head import TokenHead

__all__ = ["LeakGenerator"]


class LeakGenerator(Generator):
    """Manager and worker (Guo et al. 2018, section "Methodology").

    With f_t the discriminator's features of the prefix that is written so far,

        manager:  g_t = normalised linear map of LSTM(f_t)
        worker:   w_t = W (the sum of the last c goals);  logits = O_t w_t

    where O_t [V, G] is a linear map of LSTM(x_t): as the products of the worker's units and w_t
    with the output layer. The discriminator's network stands in the generator as buffers, which
    `see` renews, so that a saved generator can be sampled alone. At the beginning, and where nobody
    judges, its weights are random.

    The manager's own loss draws g_t towards the direction in which the features move in the next c
    tokens, ``- A_t cos(f_(t+c) - f_t, g_t)`` (equation 7; A = 1 in MLE). Here the gradient of the
    worker's likelihood reaches the manager too.

    Args:
        settings: sizes, those of the discriminator among them.
        spec: the token ids.
    """

    reads = ("label",)

    def __init__(self, settings: Leak, spec: TokenSpec):
        super().__init__(settings, spec)
        widths, filters, hidden = settings.widths, settings.filters, settings.hidden
        judge = CNN(
            embedding=settings.leaked, widths=list(widths), filters=list(filters), dropout=0.0
        )
        eye = CNNDiscriminator(judge, spec._replace(labels=0, source_vocab=0))
        self.embedding: Any = JoinedEmbedding(spec, settings.embedding, eye.embedding.weight)
        del eye.embedding, eye.output
        self.eye = _as_buffers(eye)
        self.own_size, self.horizon = settings.embedding, settings.horizon
        self.read_labels(spec, settings.embedding)
        self.read_noise(0, settings.embedding)
        total = sum(filters)
        self.manager, self.worker = nn.LSTMCell(total, hidden), nn.LSTMCell(self.own_size, hidden)
        self.to_goal = nn.Linear(hidden, total)
        self.for_worker = nn.Linear(total, settings.goal, bias=False)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = TokenHead(hidden * settings.goal, spec.vocab_size, spec.forbidden)

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """Both LSTMs, the last goals [R, c, F], the prefix as embeddings, its length, the label."""
        like = self.head.weight
        units = [like.new_zeros(batch_size, self.manager.hidden_size) for _ in range(4)]
        goals = like.new_zeros(batch_size, self.horizon, self.to_goal.out_features)
        prefix = like.new_zeros(batch_size, self.max_length, self.embedding.leaked.shape[1])
        count = torch.full((batch_size,), -1, dtype=torch.int64, device=like.device)
        return [*units, goals, prefix, count, *self.condition_vectors(condition)]

    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """The features [R, H G] after one more token, and the new state."""
        features, _, _, state = self._advance(embeddings, state)
        return features, state

    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, H G] before every token, one position after another."""
        return self._passed(sequences)[0]

    @torch.no_grad()
    def see(self, judge: nn.Module) -> None:
        """Takes the discriminator's embeddings, filters and highway layer as they are."""
        state = judge.state_dict()
        self.embedding.leaked.copy_(state["embedding.weight"])
        for name, buffer in self.eye.named_buffers():
            buffer.copy_(state[name])

    def own_loss(self, sequences: Sequences, weights: Tensor) -> Tensor:
        """The manager's loss: goals are to point where the features go.

        It is a mean over all tokens, of which the last ones of a sequence, which no features follow
        that a goal could be compared with, count 0.
        """
        sequences = self.asked(sequences)
        _, leaked, goals = self._passed(sequences)
        ahead = leaked.shape[1] - self.horizon
        if ahead <= 0:
            return goals.sum() * 0.0
        moved = (leaked[:, self.horizon :] - leaked[:, :ahead]).detach()
        inside = sequences.mask[:, self.horizon :]
        cosine = cosine_similarity(moved, goals[:, :ahead], dim=-1)
        wanted = torch.where(inside, cosine * weights[:, :ahead].detach(), 0.0)
        return -wanted.sum() / sequences.mask.sum().clamp(min=1)

    def _advance(
        self, embeddings: Tensor, state: State
    ) -> tuple[Tensor, Tensor, Tensor, State]:  # fmt: skip
        """Features, what the discriminator leaks [R, F], the goal [R, F], and the new state."""
        own, shown = embeddings.split([self.own_size, embeddings.shape[1] - self.own_size], 1)
        h_m, c_m, h_w, c_w, goals, prefix, count, *condition = state
        places = torch.arange(prefix.shape[1], device=count.device)
        now = places[None, :] == count[:, None]  # nowhere for BOS, which is no part of the prefix
        prefix = torch.where(now[..., None], shown[:, None].to(prefix.dtype), prefix)
        count = count + 1
        leaked = self.eye.features_embedded(prefix, count.clamp(min=1))
        leaked = leaked * (count > 0)[:, None]
        h_m, c_m = self.manager(leaked, (h_m, c_m))
        goal = normalize(self.to_goal(self.dropout(h_m)), dim=-1)
        goals = torch.cat([goals[:, 1:], goal[:, None].to(goals.dtype)], 1)
        h_w, c_w = self.worker(self.dropout(sum(condition, own)), (h_w, c_w))
        directed = self.dropout(h_w)[:, :, None] * self.for_worker(goals.sum(1))[:, None]
        after = [h_m, c_m, h_w, c_w, goals, prefix, count, *condition]
        return directed.flatten(1), leaked, goal, after

    def _passed(self, sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """Features [B, T, H G], leaked features and goals [B, T, F] before every token."""
        state = self.initial_state(len(sequences), sequences.condition)
        found = []
        for tokens in self._inputs(sequences).unbind(1):
            *parts, state = self._advance(self.embedding(tokens), state)
            found.append(parts)
        features, leaked, goals = (torch.stack(each, 1) for each in zip(*found, strict=True))
        return features, leaked, goals


class JoinedEmbedding(nn.Module):
    """The worker's embedding of a token beside that of the discriminator.

    Args:
        spec: the token ids.
        size: of the worker's.
        leaked: [V, E], the discriminator's, which is not trained.
    """

    leaked: Tensor

    def __init__(self, spec: TokenSpec, size: int, leaked: Tensor):
        super().__init__()
        self.own = nn.Embedding(spec.vocab_size, size)
        self.register_buffer("leaked", leaked.detach().clone())

    @property
    def weight(self) -> Tensor:
        """Both tables side by side."""
        return torch.cat([self.own.weight, self.leaked.to(self.own.weight.dtype)], 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings of tokens."""
        return torch.cat([self.own(tokens), self.leaked[tokens].to(self.own.weight.dtype)], -1)


def _as_buffers(module: CNNDiscriminator) -> CNNDiscriminator:
    """The module with its parameters as buffers: they are saved and moved, and never trained."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            del part._parameters[name]
            part.register_buffer(name, parameter.detach().clone())
    return module.eval()
