"""Explanations of sequences: what a generator and a rater make of each token.

Everything here is a function of models and sequences; `report.explaining` writes pages of it.

Shapes: B sequences, T tokens, V vocabulary, H features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rollout import Sequences, action_values, generate
from rollout.modules import evaluating
from rollout.sequences import select_tree

from ..data.codec import Codec
from ..data.dataset import Dataset, random_rows
from ..models import Generator
from ..models.discriminators.base import Window
from ..seeding import rng_for
from .attention import Attention, attention_of
from .neighbours import Neighbours, Unit, excited_units
from .raters import DiscriminatorRater, Rater

__all__ = ["Alternative", "Explanation", "explained", "token_name", "with_corpus"]

START = 64
"""Samples for the value before the first token."""
CHUNK = 16
"""Sequences that are explained at once."""
DIGITS = 5
CORPUS, EXCITING = 20_000, 1_000
"""Training sequences among which the nearest are looked for, and those that excite hidden units."""


class Alternative(NamedTuple):
    """A token that could have come, and its probability."""

    token: str
    probability: float


@dataclass(frozen=True)
class Explanation:
    """A sequence, token by token; every list has an entry for each token, EOS included.

    Attributes:
        text: the sequence as people read it.
        tokens: their names.
        log_prob: log-probability under the generator, nats.
        entropy: of the generator's prediction, nats.
        alternatives: the likeliest tokens at each place.
        kind: what the rater's number is, a key of `raters.KINDS`; None: there is no rater.
        judged: the number of the whole sequence.
        shares: of the tokens in that number (see `raters`); empty if they have none.
        gradients: integrated gradients; empty without a discriminator of tokens.
        values: action value, the number on average if the model goes on from here; empty without
            a rater.
        advantages: the value minus that of the token before; of the first: minus the mean over
            samples.
        windows: windows of tokens that a convolution has responded to most.
        attention: the weights of each model that has some.
        units: hidden units that are most excited, with the sequences that excite them most.
        nearest: training sequences that are nearest, with the number of edits.
        other: log-probability under another model; empty: there is none.
        other_entropy: of that model's prediction.
        width: tokens of a row, if the sequence is a picture; 0: it is none.
    """

    text: str
    tokens: list[str]
    log_prob: list[float]
    entropy: list[float]
    alternatives: list[list[Alternative]]
    kind: str | None = None
    judged: float | None = None
    shares: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    advantages: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    attention: dict[str, Attention] = field(default_factory=dict)
    units: list[dict[str, Any]] = field(default_factory=list)
    nearest: list[tuple[int, str]] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    other_entropy: list[float] = field(default_factory=list)
    width: int = 0

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        maps = {name: each._asdict() for name, each in self.attention.items()}
        return {**asdict(self), "attention": maps}


def explained(
    generator: Generator,
    sequences: Sequences,
    codec: Codec,
    rater: Rater | None = None,
    other: Generator | None = None,
    *,
    seed: int = 0,
    alternatives: int = 4,
    rollouts: int = 16,
    numbers: Tensor | None = None,
) -> list[Explanation]:
    """Explains sequences by a generator and a rater.

    Args:
        generator: the policy.
        sequences: B sequences of its tokens.
        codec: ids to names.
        rater: gives them numbers; None: nothing is said of shares and values.
        other: a second policy of the same tokens, to compare with.
        seed: of the rollouts.
        alternatives: likeliest tokens listed at each place.
        rollouts: completions behind each action value; 0: there are none.
        numbers: the rater's [B], if they are known; else it is asked.
    """
    found = []
    known = [None] * len(sequences) if numbers is None else numbers.split(CHUNK)
    for number, (part, mine) in enumerate(zip(sequences.split(CHUNK), known, strict=False)):
        rng = (seed, "explain", number)
        found += _explained(
            generator, part.trim(), codec, rater, other, rng, alternatives, rollouts, mine
        )
    return found


def _explained(
    generator: Generator, sequences: Sequences, codec: Codec, rater: Rater | None,
    other: Generator | None, rng: tuple[int, str, int], alternatives: int, rollouts: int,
    numbers: Tensor | None,
) -> list[Explanation]:  # fmt: skip
    """Some sequences at once."""
    with torch.no_grad(), evaluating(generator):
        log_probs = generator.logits(sequences).float().log_softmax(-1)
        scores = generator(sequences)
    best = log_probs.topk(min(alternatives, log_probs.shape[-1]))
    names = {i: token_name(codec, i) for i in {*best.indices.unique().tolist()}}
    names |= {i: token_name(codec, i) for i in sequences.tokens.unique().tolist()}
    columns: dict[str, list[Any]] = {
        "log_prob": _rows(scores.log_prob, sequences),
        "entropy": _rows(scores.entropy, sequences),
    }
    if other is not None:
        with torch.no_grad(), evaluating(other):
            theirs = other(sequences)
        columns["other"] = _rows(theirs.log_prob, sequences)
        columns["other_entropy"] = _rows(theirs.entropy, sequences)
    if rater is not None:
        columns |= _judgement(rater, sequences, rater(sequences) if numbers is None else numbers)
        if rollouts:
            columns |= _values(generator, rater, sequences, rollouts, rng)
    model = rater.model if isinstance(rater, DiscriminatorRater) else None
    attention = attention_of(sequences, generator=generator, discriminator=model)
    found = []
    for row, text in enumerate(codec.texts(sequences)):
        length = int(sequences.lengths[row])
        ids = sequences.tokens[row, :length].tolist()
        choices = zip(best.indices[row, :length].tolist(), best.values[row, :length].exp().tolist(),
                      strict=True)  # fmt: skip
        likely = [
            [Alternative(names[i], round(p, DIGITS)) for i, p in zip(*each, strict=True) if p > 0]
            for each in choices
        ]
        own = {name: values[row] for name, values in columns.items()}
        found.append(
            Explanation(
                text,
                [names[i] for i in ids],
                alternatives=likely,
                attention=attention[row],
                width=codec.spec.width,
                **own,
            )  # fmt: skip
        )
    return found


def token_name(codec: Codec, token: int) -> str:
    """The name of a token id for people, special ones included."""
    spec = codec.spec
    special = {spec.pad_id: "<pad>", spec.bos_id: "<bos>", spec.eos_id: "<eos>"}
    # BOS and PAD may share an id with an ordinary token, where no sequence has an end.
    if token in special and (token == spec.eos_id or token in spec.forbidden):
        return special[token]
    row = Sequences(torch.tensor([[token]]), torch.tensor([1]))
    (names,) = codec.tokens(row)
    return str(names[0]) if names else special.get(token, f"<{token}>")


def _rows(values: Tensor, sequences: Sequences) -> list[list[float]]:
    """Values [B, T] as lists without what comes after a sequence's end."""
    return [
        [round(value, DIGITS) for value in row[:length]]
        for row, length in zip(values.tolist(), sequences.lengths.tolist(), strict=True)
    ]


def _judgement(rater: Rater, sequences: Sequences, numbers: Tensor) -> dict[str, list[Any]]:
    """The rater's numbers [B], the share of each token, and the windows of a convolution."""
    shares = rater.shares(sequences, numbers)
    return {
        "kind": [rater.kind] * len(sequences),
        "judged": [round(each, DIGITS) for each in numbers.tolist()],
        "windows": rater.windows(sequences),
        **{name: _rows(values, sequences) for name, values in shares.items()},
    }


def _values(
    generator: Generator, rater: Rater, sequences: Sequences, rollouts: int,
    seed: tuple[int, str, int],
) -> dict[str, list[Any]]:  # fmt: skip
    """Action values, and how much each token has changed them."""
    policy = generator.emitting()
    values = action_values(
        policy, sequences, rater, rollouts, rng=rng_for(*seed, "values"), stratified=True
    )
    count = len(sequences)
    rows = torch.arange(count, device=sequences.device).repeat_interleave(START)
    begun = generate(
        policy, len(rows), rng=rng_for(*seed, "start"),
        condition=select_tree(sequences.condition, rows),
    )  # fmt: skip
    start = rater(begun).view(count, START).mean(1, keepdim=True)
    advantages = values - torch.cat([start, values[:, :-1]], 1)
    return {"values": _rows(values, sequences), "advantages": _rows(advantages, sequences)}


def with_corpus(
    found: list[Explanation],
    generator: Generator,
    sequences: Sequences,
    data: Dataset,
    *,
    nearest_count: int = 3,
    units: int = 4,
) -> list[Explanation]:
    """The explanations with training sequences: the nearest, and those that excite hidden units.

    Args:
        found: of the sequences.
        generator: the policy.
        sequences: B sequences.
        data: the data set; at most `CORPUS` of its training sequences are looked at.
        nearest_count: training sequences for each; 0: none.
        units: hidden units for each; 0: none.
    """
    rows = random_rows(data, "train")[:CORPUS]
    corpus = data.train.select(rows)
    tokens = data.codec.tokens(corpus) if nearest_count or units else []
    own = data.codec.tokens(sequences)
    excited: list[list[Unit]] = [[] for _ in found]
    if units:
        some = corpus.select(slice(0, EXCITING)).to(sequences.device)
        excited = excited_units(generator, sequences, some, units)
    neighbours = Neighbours(tokens if nearest_count else [])
    together = []
    for each, row, most in zip(found, own, excited, strict=True):
        near = neighbours.nearest(row, nearest_count)
        together.append(
            replace(
                each,
                nearest=[(count, data.codec.line(tokens[other])) for other, count in near],
                units=[_unit(unit, each, tokens, data.codec) for unit in most],
            )
        )
    return together


def _unit(unit: Unit, of: Explanation, corpus: list[list[Any]], codec: Codec) -> dict[str, Any]:
    """A hidden unit with texts in the place of numbers of sequences."""
    return {
        "number": unit.number,
        "place": unit.place,
        "token": of.tokens[unit.place],
        "strength": unit.strength,
        "examples": [
            {
                "read": codec.line(corpus[example.row][: example.place + 1]),
                "rest": codec.line(corpus[example.row][example.place + 1 :]),
                "strength": example.strength,
            }
            for example in unit.examples
        ],
    }
