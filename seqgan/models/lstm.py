"""The LSTM generator: the policy of the SeqGAN paper, with the regularisation of a tuned one.

Shapes: B sequences, T tokens, R rows in flight, V vocabulary, E embedding, H hidden units.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Policy, Prefixes, Sequences, State, TokenScores
from rollout.devices import reads_synchronise

from .recurrent import LSTM
from .token_loss import token_log_probs

__all__ = ["LSTMGenerator"]


class LSTMGenerator(nn.Module, Policy):
    """An LSTM language model as a policy.

    Args:
        vocab_size: V.
        max_length: largest number of tokens of a sequence, EOS counted.
        bos_id: consumed before the first token.
        eos_id: ends a sequence; None where all sequences have `max_length` tokens.
        pad_id: written after a sequence's end.
        embedding: E, size of the token embeddings.
        hidden: H, units of each LSTM layer.
        layers: number of LSTM layers.
        dropout: probability of dropping an embedding or output unit in training.
        forbidden: ids of probability 0 (BOS and PAD, where they are not tokens of their own, and
            tokens that the data lack).
        withheld: ids that are never emitted, and yet scored in given sequences: tokens that the
            training sequences lack and others hold. `step`, which all sampling goes through, gives
            the distribution without them; `logits` and `forward` that of the model.
        initial_scale: standard deviation of the normal distribution all parameters are drawn
            from (0.1 in the SeqGAN code); None: torch's defaults.
    """

    _forbidden: Tensor  # [V], 0 or -inf
    _withheld: Tensor  # [V], 0 or -inf; -inf for forbidden ids as well

    def __init__(
        self,
        vocab_size: int,
        max_length: int,
        bos_id: int,
        eos_id: int | None,
        pad_id: int,
        embedding: int = 64,
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
        forbidden: tuple[int, ...] | list[int] = (),
        initial_scale: float | None = None,
        withheld: tuple[int, ...] | list[int] = (),
    ):
        super().__init__()
        self.arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        self.vocab_size, self.max_length = vocab_size, max_length
        self.bos_id, self.eos_id, self.pad_id = bos_id, eos_id, pad_id
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.lstm = LSTM(embedding, hidden, layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, vocab_size)
        allowed = torch.zeros(vocab_size)
        allowed[list(forbidden)] = -torch.inf
        # Added to the output's bias, so that forbidden tokens cost no pass over the logits.
        self.register_buffer("_forbidden", allowed, persistent=False)
        emitted = allowed.clone()
        emitted[list(withheld)] = -torch.inf
        self.register_buffer("_withheld", emitted, persistent=False)
        if initial_scale is not None:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=initial_scale)

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """Zeros: for each layer h and c, both [R, H]."""
        zeros = self.output.weight.new_zeros(batch_size, self.lstm.hidden_size)
        return [(zeros, zeros) for _ in range(self.lstm.num_layers)]

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] after one more token, and the new state."""
        state = self._advance(tokens, state)
        return self._project(self.dropout(state[-1][0]), self._withheld), state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] of every token given the tokens before it."""
        return self._project(self._hidden(sequences), self._forbidden)

    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability and entropy [B, T] of every token; padding costs nothing on a CPU."""
        hidden = self._hidden(sequences)
        mask = sequences.mask
        if reads_synchronise(hidden.device):
            log_prob, entropy = self._scores(hidden, sequences.tokens)
            zero = torch.zeros_like(log_prob)
            return TokenScores(torch.where(mask, log_prob, zero), torch.where(mask, entropy, zero))
        log_prob, entropy = self._scores(hidden[mask], sequences.tokens[mask])
        blank = log_prob.new_zeros(mask.shape)
        return TokenScores(
            blank.masked_scatter(mask, log_prob), blank.masked_scatter(mask, entropy)
        )

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states before every token, without a single logit."""
        state = self.initial_state(len(sequences))
        states = []
        for inputs in self._inputs(sequences).unbind(1):
            state = self._advance(inputs, state)
            states.append(state)
        return Prefixes(sequences, self.concat(states))

    def tempered(self, temperature: float) -> Policy:
        """The same policy with its logits divided by `temperature`; the other layers are shared.

        Raises:
            ValueError: a temperature that is not above 0, or infinite.
        """
        if not 0.01 <= temperature <= 100:
            # The likelihood is computed from logits of the weights, and has their rounding.
            return super().tempered(temperature)
        tempered = copy.copy(self)
        tempered._modules = dict(self._modules)
        output = copy.deepcopy(self.output).requires_grad_(False)
        output.weight.div_(temperature)
        output.bias.div_(temperature)
        tempered.output = output
        return tempered

    def withholding(self, tokens: list[int]) -> LSTMGenerator:
        """The same policy, which never emits `tokens`; it shares all parameters."""
        policy = copy.copy(self)
        policy._buffers = dict(self._buffers)
        policy._withheld = self._withheld.index_fill(
            0, torch.tensor(tokens, device=self._withheld.device), -torch.inf
        )
        return policy

    def _advance(self, tokens: Tensor, state: State) -> State:
        inputs = self.dropout(self.embedding(tokens))
        after = []
        for layer, (h, c) in enumerate(state):
            weights = self.lstm.all_weights[layer]
            h, c = torch.lstm_cell(inputs, (h, c), *weights)
            after.append((h, c))
            inputs = h
        return after

    def _hidden(self, sequences: Sequences) -> Tensor:
        inputs = self.dropout(self.embedding(self._inputs(sequences)))
        return self.dropout(self.lstm(inputs)[0])

    def _project(self, hidden: Tensor, allowed: Tensor) -> Tensor:
        return nn.functional.linear(hidden, self.output.weight, self.output.bias + allowed)

    def _scores(self, hidden: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of `tokens` [...] given `hidden` [..., H]."""
        # A finite stand-in for -inf, so that p log p is 0 and not NaN where p is 0.
        bias = self.output.bias + self._forbidden.clamp(min=-1e30)
        log_prob, entropy = token_log_probs(
            hidden.flatten(0, -2), self.output.weight, bias, tokens.flatten()
        )
        log_prob = log_prob.view(tokens.shape) + self._forbidden[tokens]
        return log_prob, entropy.view(tokens.shape)
