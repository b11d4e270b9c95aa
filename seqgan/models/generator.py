"""The type of all generators: a policy that can be trained, saved and copied.

Shapes: B sequences, T tokens, R rows in flight, H features, V vocabulary.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from rollout import Policy, Prefixes, Sampler, Sequences, State, TokenScores
from rollout.modules import evaluating, frozen_copy
from rollout.sequences import map_tree, refuse_condition

from ..config import GeneratorConfig
from ..data.codec import Codec
from ..data.prompts import Prompts, WithNoise
from ..data.spec import TokenSpec
from .cache import SelectsRows
from .conditions import ReadsConditions, blank_condition, with_noise
from .head import TokenHead

__all__ = ["Generator", "emitting", "prefix_features", "prompted"]


class Generator(ReadsConditions, nn.Module, Policy):
    """A network that emits tokens, with the output layer that all of them share.

    A generator of your own defines `initial_state`, `advance_embedded` and `forward_features`, and
    makes its `embedding` and its `head`; everything else follows. One that reads conditions names
    their parts in `reads`; to the others none comes: whoever has one gets a
    `rollout.ConditionError`.

    Args:
        settings: of the architecture.
        spec: the token ids.

    Attributes:
        embedding: of the tokens.
        head: the output layer.
        settings: as given; saved with the model.
        spec: as given; saved with the model.
    """

    embedding: nn.Embedding
    head: TokenHead

    def __init__(self, settings: GeneratorConfig, spec: TokenSpec):
        super().__init__()
        self.settings, self.spec = settings, spec
        self.announce(spec)
        self.vocab_size, self.max_length = spec.vocab_size, spec.max_length
        self.bos_id, self.eos_id, self.pad_id = spec.bos_id, spec.eos_id, spec.pad_id

    def attach(self, codec: Codec) -> None:
        """Checks the codec of the data, which a generator with a tokenizer of its own does.

        Raises:
            ConfigError: it is not that generator's.
        """

    @cached_property
    def row_bytes(self) -> int:
        """Memory in bytes of one row in flight: its logits, and the state that it begins with.

        A generator whose state grows sets its own.
        """
        leaves = tree_leaves(self.initial_state(1, self.blank(1)))
        return 4 * self.vocab_size + sum(each.element_size() * each.numel() for each in leaves)

    def blank(self, rows: int) -> Any:
        """A condition of the right shapes, on the model's device; None for one that reads none."""
        if not self.conditional:
            return None
        device = next(self.parameters()).device
        blank: Any = blank_condition(self.spec, rows) or {}
        if self.noise_size:
            blank["noise"] = torch.zeros(rows, self.noise_size)
        return map_tree(lambda each: each.to(device), blank)

    def prompted(self, prompts: Prompts) -> Prompts:
        """The same questions, with noise if this model reads it."""
        return WithNoise(prompts, self.noise_size) if self.noise_size else prompts

    @abstractmethod
    def advance_embedded(self, embeddings: Tensor, state: State) -> tuple[Tensor, State]:
        """Consumes one embedded token per row.

        Args:
            embeddings: [R, E].
            state: before them.

        Returns:
            The features [R, H] that predict the next token, and the new state.
        """

    def embedded(self, weights: Tensor) -> Tensor:
        """The mean embeddings [..., E] of tokens with weights [..., V], such as one-hot vectors."""
        table = self.embedding.weight
        return weights.to(table.dtype) @ table

    def advance(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Consumes one token per row: int64 [R]; returns as `advance_embedded`."""
        return self.advance_embedded(self.embedding(tokens), state)

    @abstractmethod
    def forward_features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, H] of sequences that have all that the model reads."""

    def features(self, sequences: Sequences) -> Tensor:
        """The features [B, T, H] from which each token is predicted (teacher forcing)."""
        return self.forward_features(self.asked(sequences))

    def see(self, judge: nn.Module) -> None:
        """Takes what it reads of the discriminator that judges it; most read nothing."""

    def own_loss(self, sequences: Sequences, weights: Tensor) -> Tensor | None:
        """A loss of parts that likelihood does not train, mean over tokens; None: there are none.

        The mean is over all tokens, so that processes can share it by their tokens.

        Args:
            sequences: the sequences that are trained on.
            weights: [B, T], of their tokens in the loss, 0 after the end: 1 in MLE, the advantage
                in policy gradient.
        """
        return None

    def own_reward(self, sequences: Sequences) -> Tensor | None:
        """A reward [B, T] of each token that the generator gives itself; None: it gives none.

        In policy gradient it takes the place of the reward for what the likelihood of tokens
        trains, while `own_loss` has the reward's advantages as its weights.
        """
        return None

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits [R, V] after one more token, and the new state."""
        features, state = self.advance(tokens, state)
        return self.head(features), state

    def sample_next(
        self, tokens: Tensor, state: State, uniforms: Tensor, sampler: Sampler
    ) -> tuple[Tensor, State]:
        """The next tokens and the new state, drawn by the output layer."""
        features, state = self.advance(tokens, state)
        return self.head.sample_next(features, uniforms, sampler), state

    def logits(self, sequences: Sequences) -> Tensor:
        """Logits [B, T, V] of every token given the tokens before it."""
        logits: Tensor = self.head(self.features(sequences))
        return logits

    def forward(self, sequences: Sequences) -> TokenScores:
        """Log-probability and entropy [B, T] of every token."""
        return self.head.scores(self.features(sequences), sequences)

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states before every token, without a single logit."""
        sequences = self.asked(sequences)
        state = self.initial_state(len(sequences), sequences.condition)
        states = []
        for inputs in self._inputs(sequences).unbind(1):
            _, state = self.advance(inputs, state)
            states.append(state)
        return Prefixes(sequences, self.concat(states))

    def select(self, state: State, rows: Tensor) -> State:
        """The state of `rows` (int64 [R]) in that order; rows may repeat."""

        def selected(part: Any) -> Any:
            if isinstance(part, SelectsRows):
                return part.select(rows)
            return part.index_select(0, rows.to(part.device))

        return tree_map(selected, state, is_leaf=_selects_rows)

    def concat(self, states: list[State]) -> State:
        """One state out of several, rows in the order given."""
        if len(states) == 1:
            return states[0]

        def joined(first: Any, *others: Any) -> Any:
            if isinstance(first, SelectsRows):
                return first.concat([first, *others])
            return torch.cat([first, *others])

        return tree_map(joined, *states, is_leaf=_selects_rows)

    def attention_weights(self, sequences: Sequences) -> Tensor | None:
        """Attention weights [B, layers, heads, T, T]: from each token's prediction to its inputs.

        Rows sum to 1; the inputs are BOS and all tokens but the last. None without attention.
        """
        return None

    def source_weights(self, sequences: Sequences) -> Tensor | None:
        """Attention weights [B, layers, heads, T, S]: from each prediction to the source tokens.

        Rows sum to 1. None without an encoder of sources.
        """
        return None

    def tempered(self, temperature: float) -> Policy:
        """The same policy with its logits divided by `temperature`; other layers are shared.

        Raises:
            ValueError: a temperature that is not above 0, or infinite.
        """
        if not 0.01 <= temperature <= 100:
            # The likelihood is computed from logits of the weights, and has their rounding.
            return super().tempered(temperature)
        tempered = copy.copy(self)
        tempered._modules = dict(self._modules)
        tempered.head = self.head.tempered(temperature)
        return tempered

    def withholding(self, tokens: Sequence[int]) -> Generator:
        """The same policy with `tokens` of probability 0; all parameters are shared."""
        policy = copy.copy(self)
        policy._modules = dict(self._modules)
        policy.head = self.head.withholding(tokens)
        return policy

    def emitting(self) -> Generator:
        """The policy that samples are drawn from: without the tokens that training lacks."""
        return self.withholding(self.spec.withheld) if self.spec.withheld else self

    def trained_state(self) -> dict[str, Tensor]:
        """The parameters that training changes, and buffers: what a checkpoint keeps."""
        return self.state_dict()

    def frozen_copy(self) -> Generator:
        """A copy as it is now: in evaluation mode, without gradients."""
        return frozen_copy(self)

    def asked(self, sequences: Sequences) -> Sequences:
        """The sequences with all that the model reads: data bring no noise.

        In training noise is drawn anew at each call, so whoever asks twice of the same sequences
        calls this first, and asks with what it returns.

        Raises:
            rollout.ConditionError: they have a condition, and the model reads none.
        """
        refuse_condition(self, sequences.condition)
        if not self.noise_size:
            return sequences
        return with_noise(sequences, self.noise_size, fresh=self.training)


def _selects_rows(part: Any) -> bool:
    return isinstance(part, SelectsRows)


def prompted(policy: Policy, prompts: Prompts) -> Prompts:
    """`prompts` with all that a policy is asked for besides; as they are if it says nothing.

    A policy that stands in front of another is asked what that one is.
    """
    own = getattr(policy, "prompted", None)
    if own is not None:
        found: Prompts = own(prompts)
        return found
    behind = getattr(policy, "policy", None)
    return prompts if behind is None else prompted(behind, prompts)


def emitting(policy: Policy) -> Policy:
    """The policy that samples are drawn from, for people and for metrics.

    Its own `emitting` if it has one, else the policy as it is (a source of data, say).
    """
    own = getattr(policy, "emitting", None)
    return policy if own is None else own()


def prefix_features(generator: Generator) -> Callable[[Sequences], Tensor]:
    """A function of prefixes [B]: the features [B, H] that their next tokens are predicted from.

    Of a sequence that is as long as the generator allows, those of its last token. For the
    observations of an environment (``features=``).
    """

    def features(prefixes: Sequences) -> Tensor:
        rows = torch.arange(len(prefixes.lengths), device=prefixes.lengths.device)
        places = prefixes.lengths.clamp(max=prefixes.tokens.shape[1] - 1)
        with evaluating(generator):
            return generator.features(prefixes)[rows, places]

    return features
