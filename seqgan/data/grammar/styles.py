"""Two styles of one kind of text, each with a known density: a source with labels.

A shop writes to its customers, casually or formally. Both styles write about the same things with
mostly the same words; greeting, tense and closing belong together, so that a style is more than one
word of its own.

Shapes: B sequences, R rows in flight, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rollout import Policy, Sequences, TokenScores, generate

from ...config.drawn_corpus import StylesCorpus
from ...seeding import rng_for
from ..codec import WordCodec
from ..conditions import Conditions
from ..dataset import Dataset, drawn_report
from ..spec import TokenSpec
from ..text.tokenizers import make_tokenizer
from ..text.vocabulary import Vocabulary
from .policy import GrammarPolicy
from .rules import Grammar

__all__ = ["STYLE_RULES", "StylesPolicy", "load_styles", "style_grammars"]

_SHARED = """
GOODS -> 5 COLOUR GARMENT | 3 GARMENT | 3 DEVICE | 2 BOOK
COLOUR -> 4 red | 4 blue | 3 green | 2 black
GARMENT -> 4 shirt | 3 jacket | 3 hat | 2 coat
DEVICE -> 4 phone | 3 camera | 2 lamp
BOOK -> 3 novel | 2 atlas
DAY -> 3 today | 2 tomorrow | 2 on monday | on friday
"""
STYLE_RULES = {
    "casual": """
NOTE -> 5 HELLO , your GOODS LEAVES DAY ! BYE | 4 HELLO , we just got your GOODS BYE_NOW
  | 3 HELLO , sorry , your GOODS is late ! BYE | 2 your GOODS LEAVES DAY , BYE_NOW
HELLO -> 5 hey | 4 hi there | 2 hello
LEAVES -> 4 is on its way | 3 leaves | 2 should be with you
BYE -> 4 cheers | 3 see you | 2 take care
BYE_NOW -> 3 ! cheers | 2 ! bye
"""
    + _SHARED,
    "formal": """
LETTER -> 5 DEAR , your GOODS LEAVES DAY . YOURS | 4 DEAR , we have received your GOODS . YOURS
  | 3 DEAR , we are sorry that your GOODS is late . YOURS
  | 2 please note that your GOODS LEAVES DAY .
DEAR -> 5 dear customer | 3 dear sir or madam | 2 hello
LEAVES -> 4 will be sent | 3 leaves | 2 should be with you
YOURS -> 4 yours sincerely | 3 kind regards | 2 your shop
"""
    + _SHARED,
}
"""The rules of each style; the labels are the names in alphabetical order."""


def style_grammars() -> dict[str, Grammar]:
    """The grammars of the styles by name."""
    return {name: Grammar.parse(STYLE_RULES[name], name) for name in sorted(STYLE_RULES)}


class StylesPolicy(nn.Module, Policy):
    """The distribution over texts given their style.

    Args:
        grammars: of each style; a style's place is its label.
        max_length: largest number of tokens of a sequence, EOS counted.
    """

    _log_probs: Tensor  # float [S, V], the rows of all styles one after the other
    _next_states: Tensor  # int64 [S, V]
    _before: Tensor  # int64 [L], the row before BOS of each style

    def __init__(self, grammars: Mapping[str, Grammar], max_length: int = 21):
        super().__init__()
        words = sorted({word for each in grammars.values() for word in each.words})
        self.names = tuple(grammars)
        self.parts = nn.ModuleList(
            GrammarPolicy(each, max_length, words) for each in grammars.values()
        )
        first = self.part(0)
        self.vocab_size, self.tokens = first.vocab_size, first.tokens
        self.bos_id, self.eos_id, self.pad_id = first.bos_id, first.eos_id, first.pad_id
        self.unk_id, self.max_length = first.unk_id, max_length
        policies = [self.part(label) for label in range(len(self.names))]
        starts = torch.tensor([0, *(len(each._log_probs) for each in policies)]).cumsum(0)
        tables = [each._next_states + start for each, start in zip(policies, starts, strict=False)]
        before = [each._before + int(start) for each, start in zip(policies, starts, strict=False)]
        self.register_buffer("_log_probs", torch.cat([each._log_probs for each in policies]))
        self.register_buffer("_next_states", torch.cat(tables))
        self.register_buffer("_before", torch.tensor(before))

    def part(self, label: int) -> GrammarPolicy:
        """The distribution of one style."""
        found = self.parts[label]
        assert isinstance(found, GrammarPolicy)
        return found

    def initial_state(self, batch_size: int, condition: Any = None) -> Tensor:
        """The row of each sequence before BOS, int64 [R]."""
        return self._before[condition["label"]]

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities [R, V] of the next token, and the rows after `tokens`."""
        state = self._next_states[state, tokens]
        return self._log_probs[state], state

    def forward(self, sequences: Sequences) -> TokenScores:
        """Exact log-probability and entropy of every token, float [B, T]."""
        found = TokenScores(*(torch.zeros(sequences.tokens.shape) for _ in range(2)))
        for label, rows in self._rows(sequences):
            for whole, mine in zip(
                found, self.part(label)(_plain(sequences.select(rows))), strict=True
            ):
                whole[rows] = mine
        return found

    def log_prob(self, sequences: Sequences) -> Tensor:
        """Log-probability of each text given its style in nats, float64 [B]; -inf for others."""
        found = torch.zeros(len(sequences), dtype=torch.float64)
        for label, rows in self._rows(sequences):
            found[rows] = self.part(label).log_prob(_plain(sequences.select(rows)))
        return found

    def parses(self, sequences: Sequences) -> Tensor:
        """Tells if each sequence is a text of its style, EOS included; bool [B]."""
        return self.log_prob(sequences) > -torch.inf

    def _rows(self, sequences: Sequences) -> list[tuple[int, Tensor]]:
        """The rows of each style."""
        labels = sequences.condition["label"]
        return [(i, (labels == i).nonzero()[:, 0]) for i in range(len(self.names))]


def load_styles(config: StylesCorpus, seed: int) -> Dataset:
    """Independent draws from the styles, each style as likely as the others."""
    policy = StylesPolicy(style_grammars(), config.max_length)
    splits = {}
    for name, count in config.counts.items():
        rng = rng_for(seed, "styles", name)
        labels = torch.randint(len(policy.names), (count,), generator=rng)
        splits[name] = generate(policy, count, rng=rng, condition={"label": labels})
    conditions = Conditions(policy.names)
    ids = (policy.vocab_size, policy.bos_id, policy.eos_id, policy.pad_id, policy.max_length)
    never = (policy.pad_id, policy.bos_id, policy.unk_id)
    spec = conditions.announced(TokenSpec(*ids, never))
    codec = WordCodec(Vocabulary(policy.tokens), make_tokenizer("spaces"), spec)
    sizes = ", ".join(f"{count:,} {name}" for name, count in config.counts.items())
    return Dataset(
        "styles", splits["train"], splits["validation"], splits["heldout"], splits["test"], codec,
        lambda name: codec.rows(splits[name]),
        density=policy,
        report=drawn_report(spec, splits),
        report_lines=[
            f"styles: independent draws: {sizes}", *conditions.lines(splits["train"].condition),
        ],
        conditions=conditions,
    )  # fmt: skip


def _plain(sequences: Sequences) -> Sequences:
    """The same sequences without their condition."""
    return Sequences(sequences.tokens, sequences.lengths, sequences.terminated)
