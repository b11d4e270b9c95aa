"""A language model as discriminator: it judges a token by how little it expected it.

Shapes: B sequences, T tokens, E embedding, V vocabulary.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from rollout.devices import autocast

from ...config.discriminators.language_model import LanguageModel
from ...data.spec import TokenSpec
from .left_to_right import LeftToRight

__all__ = ["LanguageModelDiscriminator"]


class LanguageModelDiscriminator(LeftToRight):
    """DPGAN's discriminator (Xu et al. 2018): the logit of a token is its cross-entropy.

    ``f_t = -log p(y_t | y_<t)`` with a language model p; or, if `scaled`, ``a (-log p - b)`` with
    two trained numbers, a > 0, which can be log-odds, while a token is never paid for being
    expected. Trained to tell data from samples, p learns to expect what the policy says and data do
    not, so the reward pays for tokens that the policy's samples have too rarely. The output layer
    has the weights of the embeddings and no bias; so mixtures of embeddings can be judged too.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    def __init__(self, settings: LanguageModel, spec: TokenSpec):
        super().__init__(settings, spec)
        size = settings.embedding
        self.projection = nn.Linear(settings.hidden, size)
        self.bos = nn.Parameter(torch.zeros(size))
        self.scaled = settings.scaled
        if self.scaled:
            self.log_factor = nn.Parameter(torch.zeros(()))
            self.level = nn.Parameter(torch.tensor(math.log(spec.vocab_size)))

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B, T] of the tokens; 0 after a sequence's end."""
        logits = self.cross_entropy(embeddings, condition)
        if self.scaled:
            logits = self.log_factor.exp() * (logits - self.level)
        places = torch.arange(logits.shape[1], device=lengths.device)
        return logits.masked_fill(places >= lengths[:, None], 0.0)

    def cross_entropy(self, embeddings: Tensor, condition: Any = None) -> Tensor:
        """``-log p(y_t | y_<t)`` [B, T] in nats; of a mixture of tokens its mean."""
        begin = self.bos.expand(len(embeddings), 1, -1)
        inputs = self.labelled(torch.cat([begin, embeddings[:, :-1]], 1), condition)
        states = self.projection(self.dropout(self.lstm(self.dropout(inputs))[0]))
        states = states.to(torch.promote_types(states.dtype, torch.float32))
        with autocast(states.device, None):
            everyone = (states @ self.embedding.weight.t()).logsumexp(-1)
            return everyone - (states * embeddings).sum(-1)
