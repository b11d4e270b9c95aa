"""An LSTM that judges a sequence token by token.

Shapes: B sequences, T tokens, E embedding, H hidden units.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rollout.sequences import inside

from ...config.discriminators.causal_lstm import CausalLSTM
from ...data.spec import TokenSpec
from .left_to_right import LeftToRight
from .pooling import exact_logits
from .spectral import normalise

__all__ = ["CausalLSTMDiscriminator"]


class CausalLSTMDiscriminator(LeftToRight):
    """A left-to-right LSTM; its logit at a token is what the token adds to the log-odds.

    The sum up to token t is the log-odds of the prefix that ends there, and the whole sum those of
    the sequence. So the logits are a reward per token whose sum is the reward of the sequence, and
    no rollouts are needed to give a token its share.

    Args:
        settings: sizes and dropout.
        spec: the token ids.
    """

    def __init__(self, settings: CausalLSTM, spec: TokenSpec):
        super().__init__(settings, spec)
        self.output = nn.Linear(settings.hidden, 1)
        if settings.spectral_norm:
            normalise(self)

    def forward_embedded(
        self, embeddings: Tensor, lengths: Tensor, condition: Any = None
    ) -> Tensor:
        """Logits [B, T] of the tokens; 0 after a sequence's end."""
        states = self.lstm(self.dropout(self.labelled(embeddings, condition)))[0]
        logits = exact_logits(self.dropout(states), self.output)
        return logits.masked_fill(~inside(lengths, states.shape[1]), 0.0)
