"""The Policy contract: a generator of discrete tokens that can be asked for its state.

Shapes: B sequences, T tokens, V vocabulary, R rows in flight.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .sampling import Sampler, tempered
from .sequences import Sequences, concat_trees, refuse_condition, select_tree

__all__ = [
    "Policy", "Prefixes", "ReshapedPolicy", "State", "TemperedPolicy", "TokenScores",
    "WrappedPolicy",
]  # fmt: skip

State = Any
"""Memory of the tokens consumed so far; by default a pytree, batch first."""


class TokenScores(NamedTuple):
    """Log-probability and entropy of every token of a batch; 0 after a sequence's end.

    Attributes:
        log_prob: [B, T], log-probability of the token given its prefix, in nats.
        entropy: [B, T], entropy of the distribution the token was drawn from, in nats.
    """

    log_prob: Tensor
    entropy: Tensor


class Prefixes(NamedTuple):
    """The states of a policy before each token of a batch was consumed.

    Attributes:
        sequences: the batch the states belong to.
        states: opaque to everyone but the policy's own `branch`; by default one state of T * B
            rows, row t * B + b holding what was left by BOS and tokens 0 .. t-1 of sequence b.
    """

    sequences: Sequences
    states: Any


class Policy(ABC):
    """A distribution over token sequences, one token at a time.

    A policy of your own needs the five attributes, `initial_state` and `step`; everything else has
    a default built on those two, and may be overridden with something faster. It may be an
    ``nn.Module`` as well (``class Mine(nn.Module, Policy)``), and has to be one to be trained.

    Attributes:
        vocab_size: V, number of token ids.
        bos_id: the id consumed before the first token.
        eos_id: the id that ends a sequence, or None where sequences only end at the length limit.
        pad_id: the id written after a sequence's end; never read.
        max_length: largest number of tokens of a sequence, EOS counted.
        conditional: whether it reads conditions. One that does not says False; then a condition is
            refused with a `ConditionError` wherever it would be lost.
        row_bytes: memory in bytes of one row in flight, by which rollouts are cut into chunks; by
            default that of its logits, 4 V. A policy with a large state sets its own.
    """

    vocab_size: int
    bos_id: int
    eos_id: int | None
    pad_id: int
    max_length: int
    conditional: bool = True

    @cached_property
    def row_bytes(self) -> int:
        """Memory in bytes of one row in flight."""
        return 4 * self.vocab_size

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # nn.Module brings a `forward` that only raises; where it comes first among the bases it
        # would hide the default below.
        if cls.forward is getattr(nn.Module, "forward", None):
            cls.forward = Policy.forward  # type: ignore[method-assign]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Same as `forward` (a policy that is an ``nn.Module`` uses the module's own call)."""
        return self.forward(*args, **kwargs)

    @abstractmethod
    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """The state before BOS is consumed.

        Args:
            batch_size: number of rows.
            condition: a pytree of tensors, batch first, or None.
        """

    @abstractmethod
    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Consumes one token per row and predicts the next.

        Args:
            tokens: int64 [R], the last token of each row.
            state: the state before these tokens.

        Returns:
            Logits [R, V] of the next token and the state after `tokens`.
        """

    def sample_next(
        self, tokens: Tensor, state: State, uniforms: Tensor, sampler: Sampler
    ) -> tuple[Tensor, State]:
        """Consumes one token per row and draws the next, which is all that sampling needs.

        By default `step`, then ``sampler.sample``. A model may override it to draw without writing
        the logits [R, V]; the tokens have to be those that the default would draw, up to rounding.

        Args:
            tokens: int64 [R], the last token of each row.
            state: the state before these tokens.
            uniforms: numbers in (0, 1) as for ``sampler.sample``: [R], or [R, N] for N draws per
                row.
            sampler: how tokens are drawn.

        Returns:
            int64 tokens of the shape of `uniforms`, and the state of the R rows after `tokens`.
        """
        logits, state = self.step(tokens, state)
        return sampler.sample(logits, uniforms), state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] of every token given the tokens before it (teacher forcing)."""
        refuse_condition(self, sequences.condition)
        state = self.initial_state(len(sequences), sequences.condition)
        columns = []
        for inputs in self._inputs(sequences).unbind(1):
            logits, state = self.step(inputs, state)
            columns.append(logits)
        return torch.stack(columns, dim=1)

    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability and entropy of every token: the one path that is trained."""
        return token_scores(self.logits(sequences), sequences)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states before every token, for `branch`."""
        refuse_condition(self, sequences.condition)
        state = self.initial_state(len(sequences), sequences.condition)
        states = []
        for inputs in self._inputs(sequences).unbind(1):
            _, state = self.step(inputs, state)
            states.append(state)
        return Prefixes(sequences, self.concat(states))

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The states from which rows go on by consuming their token at `positions`.

        Args:
            prefixes: what `prefix_states` returned.
            rows: int64 [R], rows of the batch; a row may stand there any number of times.
            positions: int64 [R], the position of the last token of each prefix.

        Returns:
            The state, for R rows, after BOS and the tokens before `positions`; `step` on the
            tokens at `positions` comes next.
        """
        return self.select(prefixes.states, positions * len(prefixes.sequences) + rows)

    def tempered(self, temperature: float) -> Policy:
        """This policy with its logits divided by `temperature`, for sampling and for scoring."""
        return TemperedPolicy(self, temperature)

    def drawing(self, device: torch.device) -> AbstractContextManager[None]:
        """Stands around all steps of a batch of samples; what they share is made once within."""
        return nullcontext()

    def select(self, state: State, rows: Tensor) -> State:
        """The state of `rows` (int64 [R]) in that order; rows may repeat."""
        return select_tree(state, rows)

    def concat(self, states: list[State]) -> State:
        """One state out of several, rows in the order given."""
        return concat_trees(states)

    def _inputs(self, sequences: Sequences) -> Tensor:
        """Token consumed before each token: BOS, then the tokens but the last, [B, T]."""
        bos = sequences.tokens.new_full((len(sequences), 1), self.bos_id)
        return torch.cat([bos, sequences.tokens[:, :-1]], dim=1)


class WrappedPolicy(Policy):
    """Stands in front of another policy and shares its states.

    It delegates everything but `step` and `logits`, which a subclass defines. `sample_next` draws
    from the logits of that `step`, and not as the policy behind it would.

    Args:
        policy: the policy behind it.
    """

    def __init__(self, policy: Policy):
        self.policy = policy
        self.vocab_size, self.max_length = policy.vocab_size, policy.max_length
        self.bos_id, self.eos_id, self.pad_id = policy.bos_id, policy.eos_id, policy.pad_id
        self.conditional, self.row_bytes = policy.conditional, policy.row_bytes

    def initial_state(self, batch_size: int, condition: Any = None) -> State:
        """The state of the policy behind it."""
        return self.policy.initial_state(batch_size, condition)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states of the policy behind it."""
        return self.policy.prefix_states(sequences)

    def branch(self, prefixes: Prefixes, rows: Tensor, positions: Tensor) -> State:
        """The states of the policy behind it."""
        return self.policy.branch(prefixes, rows, positions)

    def drawing(self, device: torch.device) -> AbstractContextManager[None]:
        """As of the policy behind it."""
        return self.policy.drawing(device)

    def select(self, state: State, rows: Tensor) -> State:
        """The state of `rows`."""
        return self.policy.select(state, rows)

    def concat(self, states: list[State]) -> State:
        """One state out of several."""
        return self.policy.concat(states)


class ReshapedPolicy(WrappedPolicy):
    """A policy whose distribution of the next token is a function of another's.

    A subclass defines `reshaped`.
    """

    def reshaped(self, logits: Tensor) -> Tensor:
        """The logits [..., V] that stand for those of the policy behind it."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Reshaped logits [R, V], and the new state."""
        logits, state = self.policy.step(tokens, state)
        return self.reshaped(logits), state

    def logits(self, sequences: Sequences) -> Tensor:
        """Reshaped logits [B, T, V]."""
        return self.reshaped(self.policy.logits(sequences))


class TemperedPolicy(ReshapedPolicy):
    """The policy that ``policy.tempered(temperature)`` returns unless it has a faster one.

    Samples and likelihoods belong together: a model that samples at one temperature and is scored
    at another is two models.

    Args:
        policy: the policy behind it.
        temperature: above 0 and finite.

    Raises:
        ValueError: a temperature that is not above 0, or infinite.
    """

    def __init__(self, policy: Policy, temperature: float):
        if not 0 < temperature < float("inf"):
            raise ValueError(f"temperature must be above 0 and finite, got {temperature}")
        super().__init__(policy)
        self.temperature = temperature

    def reshaped(self, logits: Tensor) -> Tensor:
        """Logits divided by the temperature, up to a constant of each row."""
        if 2.0**-20 <= self.temperature <= 2.0**20:
            return logits / self.temperature
        return tempered(logits, self.temperature)


def token_scores(logits: Tensor, sequences: Sequences) -> TokenScores:
    """Scores of the tokens of `sequences` under `logits` [B, T, V]; 0 after a sequence's end."""
    # Mixed precision makes logits of 16 bits; probabilities and sums need more.
    log_probs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    taken = log_probs.gather(-1, sequences.tokens[..., None])[..., 0]
    # A token that cannot be emitted has p = 0 and log p = -inf; its share of the entropy is 0.
    terms = log_probs.exp() * log_probs.masked_fill(log_probs.isneginf(), 0.0)
    zero = torch.zeros((), dtype=taken.dtype, device=taken.device)
    mask = sequences.mask
    return TokenScores(torch.where(mask, taken, zero), torch.where(mask, -terms.sum(-1), zero))
