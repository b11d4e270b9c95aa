"""A probabilistic grammar as a policy: text with a known density.

The prefixes of a grammar without recursion fall into finitely many states (`Automaton`), so the
exact distribution of every next token is one row of a table. Entropy, mean length and the number of
sentences are in closed form. The grammar that comes with the toolkit writes captions of pictures.

Shapes: B sequences, T tokens, V vocabulary, R rows in flight, S rows of the tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rollout.policy import Policy, Prefixes, TokenScores
from rollout.sequences import Sequences

from ...errors import ConfigError, DataError
from .automaton import Automaton
from .captions import CAPTION_RULES
from .rules import Grammar

__all__ = ["Grammar", "GrammarPolicy", "caption_grammar"]

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")
PAD, BOS, EOS, UNK = range(len(SPECIALS))


def caption_grammar() -> Grammar:
    """The grammar of captions that comes with the toolkit."""
    return Grammar.parse(CAPTION_RULES, "the caption grammar")


class GrammarPolicy(nn.Module, Policy):
    """The distribution over sentences that a grammar defines.

    It has no parameters and cannot be trained. A sentence ends in EOS. PAD, BOS and UNK are never
    emitted; UNK stands for words that the grammar does not know. Where a prefix cannot be
    continued (it is no prefix of a sentence, or EOS was emitted) `step` offers EOS alone, so that
    its logits can always be sampled from; `forward` gives tokens there log-probability -inf.

    Args:
        grammar: the rules; by default the caption grammar.
        max_length: largest number of tokens of a sequence, EOS counted; not below that of the
            longest sentence, which would be cut.
        words: the words that have ids, those of the grammar among them; None: those alone.

    Attributes:
        grammar: the rules.
        automaton: the states behind the tables; state i is row i.
        tokens: the token of each id: four special tokens, then the words in alphabetical order.

    Raises:
        ConfigError: `max_length` is too small.
        DataError: a word of the grammar is one of the special tokens.
    """

    _log_probs: Tensor  # float [S, V], of each next token; -inf where impossible
    _next_states: Tensor  # int64 [S, V]
    _entropies: Tensor  # float [S], of the next token

    def __init__(
        self,
        grammar: Grammar | None = None,
        max_length: int = 21,
        words: Sequence[str] | None = None,
    ):
        super().__init__()
        self.grammar = caption_grammar() if grammar is None else grammar
        self.automaton = Automaton(self.grammar)
        _, longest = self.automaton.length_range()
        if max_length < longest:
            raise ConfigError(
                f"max_length: {max_length} is below {longest}, the length of the grammar's longest "
                "sentence with its EOS"
            )
        if taken := [token for token in SPECIALS if token in self.grammar.words]:
            raise DataError(
                f"the grammar writes {', '.join(taken)}, which has a meaning of its own"
            )
        self.pad_id, self.bos_id, self.eos_id, self.unk_id = PAD, BOS, EOS, UNK
        self.tokens = SPECIALS + tuple(self.grammar.words if words is None else words)
        self.vocab_size = len(self.tokens)
        self.max_length = max_length
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        # Two rows beside the automaton's: where nothing can follow, and before BOS.
        self._over = len(self.automaton)
        self._before = self._over + 1
        self._fill_tables()

    def _fill_tables(self) -> None:
        log_probs = torch.full((self._before + 1, self.vocab_size), -math.inf, dtype=torch.float64)
        next_states = torch.full(log_probs.shape, self._over)
        for state, arcs in enumerate(self.automaton.arcs):
            ids = [EOS if arc.word is None else self._ids[arc.word] for arc in arcs]
            probabilities = torch.tensor([arc.probability for arc in arcs], dtype=torch.float64)
            log_probs[state, ids] = probabilities.log()
            targets = [self._over if arc.target < 0 else arc.target for arc in arcs]
            next_states[state, ids] = torch.tensor(targets)
        log_probs[self._over, EOS] = 0.0
        log_probs[self._before, BOS] = 0.0
        next_states[self._before, BOS] = self.automaton.start
        entropies = torch.special.entr(log_probs.exp()).sum(-1)
        # Not persistent: they are made of the rules, so a checkpoint has no use for them.
        self.register_buffer("_log_probs", log_probs.float(), persistent=False)
        self.register_buffer("_next_states", next_states, persistent=False)
        self.register_buffer("_entropies", entropies.float(), persistent=False)

    # The policy contract

    def initial_state(self, batch_size: int, condition: Any = None) -> Tensor:
        """The row of each sequence before BOS, int64 [R]."""
        return torch.full((batch_size,), self._before, device=self._next_states.device)

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities [R, V] of the next token, and the rows after `tokens`."""
        state = self._next_states[state, tokens]
        return self._log_probs[state], state

    def logits(self, sequences: Sequences) -> Tensor:
        """Log-probabilities [B, T, V] of every token given the tokens before it."""
        return self._log_probs[self._states(sequences)]

    def forward(self, sequences: Sequences) -> TokenScores:
        """Exact log-probability and entropy of every token, float [B, T]; see `Policy.forward`."""
        states = self._states(sequences)
        log_probs = self._log_probs[states, sequences.tokens]
        log_probs = log_probs.masked_fill(states == self._over, -math.inf)
        outside = ~sequences.mask
        return TokenScores(
            log_probs.masked_fill(outside, 0.0),
            self._entropies[states].masked_fill(outside, 0.0),
        )

    def prefix_states(self, sequences: Sequences) -> Prefixes:
        """The states after BOS and the tokens before each token, int64 [T * B]."""
        return Prefixes(sequences, self._states(sequences).T.flatten())

    def _states(self, sequences: Sequences) -> Tensor:
        """The row that predicts each token, int64 [B, T]."""
        tokens = sequences.tokens
        states = torch.full_like(tokens, self.automaton.start)
        for t in range(1, tokens.shape[1]):
            states[:, t] = self._next_states[states[:, t - 1], tokens[:, t - 1]]
        return states

    # The density

    def log_prob(self, sequences: Sequences) -> Tensor:
        """Log-probability of each sentence in nats, float64 [B]; -inf where it does not parse."""
        total = self.forward(sequences).log_prob.sum(1, dtype=torch.float64)
        last = (sequences.lengths - 1).clamp(min=0)[:, None]
        if not sequences.tokens.shape[1]:
            return torch.full_like(total, -math.inf)
        ended = (sequences.tokens.gather(1, last)[:, 0] == EOS) & (sequences.lengths > 0)
        return total.masked_fill(~ended, -math.inf)

    def parses(self, sequences: Sequences) -> Tensor:
        """Tells if each sequence is a sentence of the grammar, EOS included; bool [B]."""
        return self.log_prob(sequences) > -math.inf

    def entropy(self) -> float:
        """Entropy of a sentence in nats, by dynamic programming over the automaton."""
        return self.automaton.entropies()[self.automaton.start]

    def mean_length(self) -> float:
        """Mean number of tokens of a sentence, EOS counted."""
        return self.automaton.mean_lengths()[self.automaton.start]

    def num_sentences(self) -> int:
        """Number of distinct sentences."""
        return self.automaton.counts()[self.automaton.start]

    def num_derivations(self) -> int:
        """Number of derivations; as many as sentences where none is ambiguous."""
        return self.grammar.num_derivations()

    @property
    def shortest(self) -> int:
        """Tokens of the shortest sentence, EOS counted."""
        return self.automaton.length_range()[0]

    @property
    def longest(self) -> int:
        """Tokens of the longest sentence, EOS counted."""
        return self.automaton.length_range()[1]

    # Words and ids

    def encode(self, sentences: Iterable[Sequence[str]]) -> Sequences:
        """Sentences of words as sequences of ids; EOS is added, unknown words become UNK."""
        rows = [[*(self._ids.get(word, UNK) for word in sentence), EOS] for sentence in sentences]
        return Sequences.from_lists(rows, PAD, terminated=True)

    def decode(self, sequences: Sequences) -> list[list[str]]:
        """The words of each sequence, without its EOS."""
        return [
            [self.tokens[index] for index in row if index != EOS] for row in sequences.to_lists()
        ]

    def extra_repr(self) -> str:
        """Facts that the module prints about itself."""
        return f"tokens={self.vocab_size}, states={len(self.automaton)}"
