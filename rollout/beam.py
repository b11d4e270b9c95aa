"""Beam search: the sequences that a policy finds most probable.

Shapes: Q questions, K beams, R = Q K rows, V vocabulary, L max_length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .completion import default_compaction, policy_device
from .modules import evaluating
from .policy import Policy, State
from .sequences import Sequences, refuse_condition, select_tree

__all__ = ["Beams", "beam_search"]


@dataclass(frozen=True)
class Beams:
    """Result of a beam search, the best first.

    Attributes:
        sequences: Q K sequences, the K of a question one after another.
        log_prob: [Q, K], of the tokens after the prefix, in nats; -inf where a question has fewer
            sequences than K.
        score: [Q, K], by which they are ordered.
    """

    sequences: Sequences
    log_prob: Tensor
    score: Tensor


@torch.no_grad()
def beam_search(
    policy: Policy,
    beams: int,
    *,
    questions: int = 1,
    condition: Any = None,
    prefix: list[int] | None = None,
    length_penalty: float = 0.0,
) -> Beams:
    """Searches for the most probable sequences, `beams` candidates at a time.

    A sequence that ends is set aside; the search goes on with the most probable ones that have not
    ended, up to ``policy.max_length``. Nothing is drawn. It is exact if `beams` is at least the
    number of prefixes of any length; with one beam and no length penalty it is the greedy sequence.

    Args:
        policy: what predicts the next token; used in evaluation mode.
        beams: K, the candidates of each question.
        questions: Q.
        condition: a pytree of tensors with first dimension Q, or None.
        prefix: token ids that every sequence begins with.
        length_penalty: sequences are ordered by log-probability / length^this, the length without
            the prefix (Wu et al. 2016 without their constant); 0: by log-probability.

    Raises:
        ValueError: no beams, no questions, a prefix that leaves nothing to search for, or a
            penalty below 0.
        ConditionError: a condition, and a policy that reads none.
    """
    begun = list(prefix or [])
    if beams < 1 or questions < 1:
        raise ValueError(f"beams and questions must be 1 or more, got {beams} and {questions}")
    if not 0 <= length_penalty < float("inf"):
        raise ValueError(f"length_penalty must be 0 or above and finite, got {length_penalty}")
    if len(begun) >= policy.max_length:
        raise ValueError(
            f"prefix has {len(begun)} tokens, the longest sequence {policy.max_length}"
        )
    refuse_condition(policy, condition)
    with evaluating(policy):
        return _Search(policy, beams, questions, condition, begun, length_penalty).run()


class _Search:
    """Candidates that have not ended, and the best that have."""

    def __init__(
        self,
        policy: Policy,
        beams: int,
        questions: int,
        condition: Any,
        begun: list[int],
        length_penalty: float,
    ):
        self.policy, self.beams, self.questions = policy, beams, questions
        self.begun, self.length_penalty = begun, length_penalty
        self.device = policy_device(policy)
        rows = torch.arange(questions, device=self.device).repeat_interleave(beams)
        self.condition = select_tree(condition, rows)
        shape = (questions, beams)
        self.tokens = torch.full(
            (*shape, policy.max_length), policy.pad_id, dtype=torch.int64, device=self.device
        )
        self.tokens[..., : len(begun)] = torch.tensor(begun, dtype=torch.int64, device=self.device)
        # All candidates of a question are equal at first: one of them is enough.
        self.scores = torch.full(shape, -torch.inf, device=self.device)
        self.scores[:, 0] = 0.0
        nothing = torch.full(shape, -torch.inf, device=self.device)
        lengths = torch.full(shape, len(begun), dtype=torch.int64, device=self.device)
        ended = torch.zeros(shape, dtype=torch.bool, device=self.device)
        self.kept = (nothing, nothing, self.tokens, lengths, ended)

    def run(self) -> Beams:
        """The search to its end."""
        policy, every = self.policy, default_compaction(self.policy, self.device)
        last, state = self._begin()
        for position in range(len(self.begun), policy.max_length):
            logits, state = policy.step(last, state)
            parent, token, scores = self._candidates(logits)
            ends = torch.zeros_like(token, dtype=torch.bool)
            if policy.eos_id is not None:
                ends = token == policy.eos_id
            if position + 1 == policy.max_length:
                self._keep(parent, token, scores, ends, position)
                break
            # Only among the best K: with one beam, an end counts where it is the likeliest token.
            first = torch.arange(token.shape[1], device=self.device) < self.beams
            self._keep(
                parent, token, scores.masked_fill(~(ends & first), -torch.inf), ends, position
            )
            self.scores, best = scores.masked_fill(ends, -torch.inf).topk(self.beams, dim=1)
            parent, token = parent.gather(1, best), token.gather(1, best)
            self.tokens = self._grown(parent, token, position)
            rows = parent + torch.arange(self.questions, device=self.device)[:, None] * self.beams
            last, state = token.flatten(), policy.select(state, rows.flatten())
            # Looking makes the host wait; without EOS nothing is decided before the end.
            if every and (position + 1) % every == 0 and self._decided():
                break
        score, log_prob, tokens, lengths, ended = self.kept
        found = Sequences(tokens.flatten(0, 1), lengths.flatten(), ended.flatten(), self.condition)
        return Beams(found, log_prob, score)

    def _begin(self) -> tuple[Tensor, State]:
        """The last token [R] of every candidate, and the state before it."""
        rows = self.questions * self.beams
        state = self.policy.initial_state(rows, self.condition)
        tokens = [self.policy.bos_id, *self.begun]
        for token in tokens[:-1]:
            _, state = self.policy.step(self._same(token, rows), state)
        return self._same(tokens[-1], rows), state

    def _same(self, token: int, rows: int) -> Tensor:
        return torch.full((rows,), token, dtype=torch.int64, device=self.device)

    def _candidates(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best continuations [Q, C]: parent, token, log-probability.

        Each candidate can end in one way only, so 2 K of them hold K that have not ended.
        """
        log_probs = logits.float().log_softmax(-1).view(self.questions, self.beams, -1)
        size = log_probs.shape[-1]
        sums = (self.scores[..., None] + log_probs).flatten(1)
        scores, places = sums.topk(min(2 * self.beams, sums.shape[1]), dim=1)
        return places // size, places % size, scores

    def _keep(
        self, parent: Tensor, token: Tensor, log_prob: Tensor, ends: Tensor, position: int
    ) -> None:
        """Sets sequences aside, the best K of them and of those set aside before."""
        length = position + 1
        score = log_prob / (length - len(self.begun)) ** self.length_penalty
        tokens = self._grown(parent, token, position)
        new = (score, log_prob, tokens, torch.full_like(token, length), ends)
        together = [torch.cat(pair, 1) for pair in zip(self.kept, new, strict=True)]
        best = together[0].topk(self.beams, dim=1).indices
        wide = best[..., None].expand(-1, -1, together[2].shape[-1])
        score, log_prob, _, lengths, ended = (
            each if each.ndim == 3 else each.gather(1, best) for each in together
        )
        self.kept = (score, log_prob, together[2].gather(1, wide), lengths, ended)

    def _grown(self, parent: Tensor, token: Tensor, position: int) -> Tensor:
        """The tokens [Q, C, L] of candidates after one more token."""
        wide = parent[..., None].expand(-1, -1, self.tokens.shape[-1])
        tokens = self.tokens.gather(1, wide)
        tokens[..., position] = token
        return tokens

    def _decided(self) -> bool:
        """Tells if no candidate can come before those set aside any more.

        Log-probabilities only fall; the most that a candidate can score is what it has, divided by
        the longest length.
        """
        longest = max(1, self.policy.max_length - len(self.begun))
        best = self.scores[:, 0] / longest**self.length_penalty
        return bool((best <= self.kept[0][:, -1]).all())
