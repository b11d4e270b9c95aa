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
from ..leaked import Eye

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
        self.eye = Eye(eye, settings.leaked)
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
        """Both LSTMs, the last goals [R, c, F], what `Eye` keeps of the prefix, and the label."""
        like = self.head.weight
        units = [like.new_zeros(batch_size, self.manager.hidden_size) for _ in range(4)]
        goals = like.new_zeros(batch_size, self.horizon, self.to_goal.out_features)
        return [*units, goals, *self.eye.begin(batch_size), *self.condition_vectors(condition)]

    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """The features [R, H G] after one more token, and the new state."""
        own, shown = self._split(embeddings)
        h_m, c_m, h_w, c_w, goals, last, best, count, *condition = state
        leaked, seen = self.eye.step(shown, (last, best, count))
        h_m, c_m = self.manager(leaked, (h_m, c_m))
        goal = normalize(self.to_goal(self.dropout(h_m)), dim=-1)
        goals = torch.cat([goals[:, 1:], goal[:, None].to(goals.dtype)], 1)
        h_w, c_w = self.worker(self.dropout(sum(condition, own)), (h_w, c_w))
        after = [h_m, c_m, h_w, c_w, goals, *seen, *condition]
        return self._directed(h_w, goals.sum(1)), after

    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, H G] before every token."""
        return self._passed(sequences)[0]

    @torch.no_grad()
    def see(self, judge: nn.Module) -> None:
        """Takes the discriminator's embeddings, filters and highway layer as they are."""
        state = judge.state_dict()
        self.embedding.leaked.copy_(state["embedding.weight"])
        for name, buffer in self.eye.network.named_buffers():
            buffer.copy_(state[name])

    def own_loss(self, sequences: Sequences, weights: Tensor) -> Tensor:
        """The manager's loss: goals are to point where the features go.

        It is a mean over all tokens, of which the last ones of a sequence, which no features follow
        that a goal could be compared with, count 0.
        """
        sequences = self.asked(sequences)
        _, leaked, goals = self._passed(sequences)
        width, horizon = goals.shape[1], self.horizon
        ahead = width + 1 - horizon  # the features after the last token are the last ones
        if ahead <= 0:
            return goals.sum() * 0.0
        moved = leaked[:, horizon:] - leaked[:, :ahead]
        inside = sequences.mask[:, horizon - 1 :]
        cosine = cosine_similarity(moved, goals[:, :ahead], dim=-1)
        wanted = torch.where(inside, cosine * weights[:, :ahead].detach(), 0.0)
        return -wanted.sum() / sequences.mask.sum().clamp(min=1)

    @torch.no_grad()
    def own_reward(self, sequences: Sequences) -> Tensor:
        """The worker's intrinsic reward [B, T]: how far features moved along the last c goals.

        ``r_t = 1/c sum_i cos(f_(t+1) - f_(t+1-i), g_(t+1-i))``, i from 1 to c, with the features
        f_(t+1) after token t (equation 8); goals before the first one count 0.
        """
        _, leaked, goals = self._passed(self.asked(sequences))
        total = torch.zeros_like(leaked[:, 1:, 0])
        width = goals.shape[1]
        for back in range(1, min(self.horizon, width) + 1):
            moved = leaked[:, back:] - leaked[:, : width + 1 - back]
            total[:, back - 1 :] += cosine_similarity(moved, goals[:, : width + 1 - back], dim=-1)
        return torch.where(sequences.mask, total / self.horizon, 0.0)

    def _split(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of the worker and of the discriminator."""
        own, shown = embeddings.split([self.own_size, embeddings.shape[-1] - self.own_size], -1)
        return own, shown

    def _directed(self, units: Tensor, goals: Tensor) -> Tensor:
        """Products [..., H G] of the worker's units [..., H] and the summed goals [..., F]."""
        directed = self.dropout(units)[..., :, None] * self.for_worker(goals)[..., None, :]
        return directed.flatten(-2)

    def _passed(self, sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """Features [B, T, H G] and goals [B, T, F] before every token, what the discriminator
        leaks [B, T + 1, F] before every token and after the last one.
        """  # noqa: D205
        size, width = sequences.tokens.shape
        own, _ = self._split(self.embedding(self._inputs(sequences)))
        leaked = self.eye.all_prefixes(self.embedding.leaked[sequences.tokens])
        state = self.initial_state(size, sequences.condition)
        h_m, c_m, h_w, c_w, goals = state[:5]
        condition = state[8:]
        managed, worked = [], []
        inputs = self.dropout(sum((each[:, None] for each in condition), own))
        for t in range(width):
            h_m, c_m = self.manager(leaked[:, t], (h_m, c_m))
            h_w, c_w = self.worker(inputs[:, t], (h_w, c_w))
            managed.append(h_m)
            worked.append(h_w)
        goal = normalize(self.to_goal(self.dropout(torch.stack(managed, 1))), dim=-1)
        # Sums of the last c goals, of those before the first one zeros.
        before = torch.cat([goals[:, 1:].to(goal.dtype), goal], 1)
        recent = before.unfold(1, self.horizon, 1).sum(-1)
        return self._directed(torch.stack(worked, 1), recent), leaked, goal


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
