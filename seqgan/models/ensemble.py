"""Several generators as one policy: a better density model of the same data than each of them.

Shapes: B sequences, T tokens, R rows in flight, M tokens, H features, V vocabulary, K members.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Policy, Sequences, State, TokenScores
from rollout.divergences import LOWEST, combine

from ..data.prompts import Prompts
from .generator import Generator
from .token_divergence import chunk_rows, rows_of

__all__ = ["Ensemble"]


class Ensemble(nn.Module, Policy):
    """A policy whose next-token distribution combines those of its members.

    With "mixture" that is the mean of the members' probabilities of the token, with equal weights
    after every prefix (not the mixture of their distributions of whole sequences, which after a few
    tokens is the one member that likes the prefix best).

    Args:
        members: generators with the same token ids.
        combination: one of `rollout.divergences.COMBINATIONS`.
        quantile: of the combination "quantile".
        temperature: the combined log-probabilities are divided by it and normalised again.
    """

    def __init__(
        self,
        members: Sequence[Generator],
        combination: str = "mixture",
        quantile: float = 0.0,
        temperature: float = 1.0,
    ):
        super().__init__()
        first = members[0]
        if any(member.spec != first.spec for member in members):
            raise ValueError("the members of an ensemble must have the same token ids")
        if any(member.noise_size != first.noise_size for member in members):
            raise ValueError("the members of an ensemble must read as much noise as one another")
        self.members = nn.ModuleList(members)
        self.combination, self.quantile = combination, quantile
        self.temperature = temperature
        self.noise_size = first.noise_size
        self.spec, self.conditional = first.spec, all(each.conditional for each in members)
        self.vocab_size, self.max_length = first.vocab_size, first.max_length
        self.bos_id, self.eos_id, self.pad_id = first.bos_id, first.eos_id, first.pad_id
        self.row_bytes = sum(member.row_bytes for member in members)

    def prompted(self, prompts: Prompts) -> Prompts:
        """The same questions, with noise if the members read it: all read the same."""
        return self._each()[0].prompted(prompts)

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """A state of each member."""
        return [member.initial_state(batch_size, condition) for member in self._each()]

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Log-probabilities [R, V] after one more token, and the members' new states."""
        found = [m.step(tokens, each) for m, each in zip(self._each(), state, strict=True)]
        return self._combined([logits for logits, _ in found]), [after for _, after in found]

    def select(self, state: State, rows: Tensor) -> State:
        """The members' states of `rows`."""
        return [m.select(each, rows) for m, each in zip(self._each(), state, strict=True)]

    def concat(self, states: list[State]) -> State:
        """One state out of several, member by member."""
        parts = zip(*states, strict=True)
        return [m.concat(list(each)) for m, each in zip(self._each(), parts, strict=True)]

    def logits(self, sequences: Sequences) -> Tensor:
        """Log-probabilities [B, T, V] of every token given the tokens before it."""
        return self._combined([member.logits(sequences) for member in self._each()])

    @torch.no_grad()
    def features(self, sequences: Sequences) -> list[Tensor]:
        """The features [B, T, H] of each member, from which `log_probs` predicts the tokens."""
        return [member.features(sequences) for member in self._each()]

    @torch.no_grad()
    def log_probs(self, features: Sequence[Tensor]) -> Tensor:
        """Log-probabilities [M, V] of the next token, from rows [M, H] of the features."""
        heads = (member.head for member in self._each())
        return self._combined([head(each) for head, each in zip(heads, features, strict=True)])

    @torch.no_grad()
    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability and entropy [B, T] of every token, without [B, T, V] in memory."""
        rows, mask = rows_of(sequences.mask), sequences.mask
        features = [each.flatten(0, 1)[rows] for each in self.features(sequences)]
        tokens = sequences.tokens.flatten()[rows]
        dtype = torch.promote_types(features[0].dtype, torch.float32)
        found = features[0].new_empty(2, len(tokens), dtype=dtype)
        for part in chunk_rows(len(tokens), self.vocab_size, len(features), tokens.device):
            chunk = self.log_probs([each[part] for each in features])
            found[0, part] = chunk.gather(1, tokens[part, None])[:, 0]
            found[1, part] = -torch.linalg.vecdot(chunk.exp(), chunk.clamp(min=LOWEST))
        blank = found.new_zeros(2, mask.numel()).index_copy(1, rows, found).view(2, *mask.shape)
        return TokenScores(*torch.where(mask, blank, 0.0))

    def emitting(self) -> Ensemble:
        """The policy that samples are drawn from: without the tokens that training lacks."""
        members = [member.emitting() for member in self._each()]
        return Ensemble(members, self.combination, self.quantile, self.temperature)

    def withholding(self, tokens: Sequence[int]) -> Ensemble:
        """The same policy with `tokens` of probability 0; all parameters are shared."""
        members = [member.withholding(tokens) for member in self._each()]
        return Ensemble(members, self.combination, self.quantile, self.temperature)

    def _each(self) -> list[Generator]:
        return list(self.members)  # type: ignore[arg-type]

    def _combined(self, logits: list[Tensor]) -> Tensor:
        """The combined log-probabilities of the members' logits [..., V]."""
        dtype = torch.promote_types(logits[0].dtype, torch.float32)
        wide = torch.stack([each.to(dtype) for each in logits]).log_softmax(-1)
        found = combine(wide, self.combination, self.quantile)
        return found if self.temperature == 1 else (found / self.temperature).log_softmax(-1)
