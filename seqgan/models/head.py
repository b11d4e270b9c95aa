"""The output layer of all generators: logits, log-probabilities, entropy, sampling.

Shapes: B sequences, T tokens, R rows in flight, N draws per row, H features, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Sampler, Sequences, TokenScores
from rollout.devices import reads_synchronise
from rollout.divergences import LOWEST
from rollout.kernels import draws_from

from .adapters import LearnedRows
from .token_loss import token_log_probs

__all__ = ["TokenHead"]


def _in_products(*factors: Tensor) -> tuple[Tensor, ...]:
    """The factors of a product in the number type that it has here, by autocast or as they are."""
    kind = factors[0].device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        return tuple(each.to(torch.get_autocast_dtype(kind)) for each in factors)
    return factors


class TokenHead(nn.Linear):
    """A linear layer from features to the logits of V tokens, some of them forbidden.

    Args:
        features: H.
        vocab_size: V.
        forbidden: ids whose logits are -inf, so that they are never emitted.
    """

    _forbidden: Tensor  # [V], 0 or -inf

    def __init__(self, features: int, vocab_size: int, forbidden: tuple[int, ...] = ()):
        super().__init__(features, vocab_size)
        allowed = torch.zeros(vocab_size)
        allowed[list(forbidden)] = -torch.inf
        # Added to the bias, so that forbidden tokens cost no pass over the logits.
        self.register_buffer("_forbidden", allowed, persistent=False)
        self.tied = False
        self.learned: LearnedRows | None = None

    def tie(self, embedding: nn.Embedding) -> None:
        """Takes the weights of the token embeddings [V, H] for its own; they are saved with those.

        They are first drawn anew, as those of an output layer. Source: Press and Wolf 2017.
        """
        bound = embedding.embedding_dim**-0.5
        nn.init.uniform_(embedding.weight, -bound, bound)
        self.weight, self.tied = embedding.weight, True

    def learn(self, tokens: Sequence[int]) -> None:
        """Trains the rows of `tokens`, whether or not the others are trained."""
        self.learned = LearnedRows(self.weight, tokens)

    def table(self) -> Tensor:
        """The weights [V, H]."""
        return self.weight if self.learned is None else self.learned(self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [..., V] of features [..., H]."""
        bias = self.bias + self._forbidden
        if self.learned is not None:
            return self.learned.products(features, self.weight, bias)
        return nn.functional.linear(features, self.weight, bias)

    def scores(self, features: Tensor, sequences: Sequences) -> TokenScores:
        """Log-probability and entropy [B, T] of the tokens, without [B, T, V] in memory.

        On a CPU padding costs nothing; elsewhere it is computed, since finding it would make the
        host wait.

        Args:
            features: [B, T, H], those from which each token was predicted.
            sequences: the tokens.
        """
        mask = sequences.mask
        if reads_synchronise(features.device):
            log_prob, entropy = self._chunked(features, sequences.tokens)
            zero = torch.zeros_like(log_prob)
            return TokenScores(torch.where(mask, log_prob, zero), torch.where(mask, entropy, zero))
        log_prob, entropy = self._chunked(features[mask], sequences.tokens[mask])
        blank = log_prob.new_zeros(mask.shape)
        return TokenScores(
            blank.masked_scatter(mask, log_prob), blank.masked_scatter(mask, entropy)
        )

    def sample_next(self, features: Tensor, uniforms: Tensor, sampler: Sampler) -> Tensor:
        """Tokens [R] or [R, N] drawn from features [R, H] with uniform numbers of that shape.

        On CUDA devices a kernel draws them without writing the logits, if it can (`draws_from`) and
        all rows of the weights lie in one table.
        """
        # The type of the weights, without rounding all of them.
        features, typed = _in_products(features.detach(), self.weight.detach()[:0])
        if self.learned is None and draws_from(features, typed, sampler):
            from rollout.kernels.sampling import sample  # it imports triton, which is optional

            weight = self.weight.detach().to(typed.dtype)
            bias = (self.bias + self._forbidden).detach()
            return sample(features, weight, bias, uniforms, sampler.temperature)
        return sampler.sample(self(features), uniforms)

    def withholding(self, tokens: Sequence[int]) -> TokenHead:
        """The same layer with `tokens` forbidden too; it shares its parameters."""
        copied = copy.copy(self)
        copied._buffers = dict(self._buffers)
        rows = torch.tensor(list(tokens), device=self._forbidden.device)
        copied._forbidden = self._forbidden.index_fill(0, rows, -torch.inf)
        return copied

    def tempered(self, temperature: float) -> TokenHead:
        """A copy whose logits are divided by `temperature`."""
        copied = TokenHead(self.in_features, self.out_features).to(self.weight)
        copied._forbidden = self._forbidden
        with torch.no_grad():
            copied.weight.copy_(self.table()).div_(temperature)
            copied.bias.copy_(self.bias).div_(temperature)
        return copied.requires_grad_(False)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.tied:
            del destination[prefix + "weight"]

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, metadata: Any, strict: Any, missing: Any, *more: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *more)
        if self.tied:
            missing.remove(prefix + "weight")

    def _chunked(self, features: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of `tokens` [...] given `features` [..., H]."""
        # A finite stand-in for -inf, so that p log p is 0 and not NaN where p is 0.
        bias = self.bias + self._forbidden.clamp(min=LOWEST)
        log_prob, entropy = token_log_probs(
            features.flatten(0, -2), self.table(), bias, tokens.flatten()
        )
        log_prob = log_prob.view(tokens.shape) + self._forbidden[tokens]
        return log_prob, entropy.view(tokens.shape)
