"""Explanations of sequences: what generator and discriminator make of each token.

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
from ..models import Discriminator, Generator
from ..models.discriminators.base import Window, sequence_log_odds
from ..seeding import rng_for
from .attribution import integrated_gradients, left_out, occlusion
from .neighbours import Neighbours, Unit, excited_units

__all__ = ["Alternative", "Explanation", "explained", "token_name", "with_corpus"]

START = 64
"""Samples for the value before the first token."""
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
        log_odds: the discriminator's log-odds of the sequence; None: there is no discriminator.
        occlusion: log-odds that are lost with the token; empty without a discriminator.
        gradients: integrated gradients; empty without a discriminator of tokens.
        values: action value, log-odds; empty without a discriminator.
        advantages: the value minus that of the token before; of the first: minus the mean over
            samples.
        windows: windows of tokens that a convolution has responded to most.
        attention: for each model that has it, weights [layer][head][token][token].
        units: hidden units that are most excited, with the sequences that excite them most.
        nearest: training sequences that are nearest, with the number of edits.
        other: log-probability under another model; empty: there is none.
    """

    text: str
    tokens: list[str]
    log_prob: list[float]
    entropy: list[float]
    alternatives: list[list[Alternative]]
    log_odds: float | None = None
    occlusion: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    advantages: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    attention: dict[str, Any] = field(default_factory=dict)
    units: list[dict[str, Any]] = field(default_factory=list)
    nearest: list[tuple[int, str]] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def explained(
    generator: Generator,
    sequences: Sequences,
    codec: Codec,
    discriminator: Discriminator | None = None,
    baseline: Tensor | None = None,
    other: Generator | None = None,
    *,
    seed: int = 0,
    alternatives: int = 4,
    rollouts: int = 16,
) -> list[Explanation]:
    """Explains sequences by a generator and a discriminator.

    Args:
        generator: the policy.
        sequences: B sequences of its tokens.
        codec: ids to names.
        discriminator: judges them; None: nothing is said of log-odds and values.
        baseline: embedding [E] that stands for any token (see `attribution`); needed with a
            discriminator of tokens.
        other: a second policy of the same tokens, to compare with.
        seed: of the rollouts.
        alternatives: likeliest tokens listed at each place.
        rollouts: completions behind each action value; 0: there are none.
    """
    sequences = sequences.trim()
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
            columns["other"] = _rows(other(sequences).log_prob, sequences)
    if discriminator is not None:
        columns |= _judgement(discriminator, sequences, baseline)
        if rollouts:
            columns |= _values(generator, discriminator, sequences, rollouts, seed)
    attention = _attention(sequences, generator=generator, discriminator=discriminator)
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
                text, [names[i] for i in ids], alternatives=likely, attention=attention[row], **own
            )
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


def _judgement(
    discriminator: Discriminator, sequences: Sequences, baseline: Tensor | None
) -> dict[str, list[Any]]:
    """Log-odds, the share of each token, and the windows of a convolution."""
    with evaluating(discriminator):
        log_odds = sequence_log_odds(discriminator)(sequences)
        found: dict[str, list[Any]] = {
            "log_odds": [round(each, DIGITS) for each in log_odds.tolist()],
            "windows": discriminator.windows(sequences),
        }
        if discriminator.reads_text:
            return {**found, "occlusion": _rows(left_out(discriminator, sequences), sequences)}
        assert baseline is not None
        gradients = integrated_gradients(discriminator, sequences, baseline)
        return {
            **found,
            "occlusion": _rows(occlusion(discriminator, sequences, baseline), sequences),
            "gradients": _rows(gradients, sequences),
        }


def _values(
    generator: Generator, discriminator: Discriminator, sequences: Sequences, rollouts: int,
    seed: int,
) -> dict[str, list[Any]]:  # fmt: skip
    """Action values, and how much each token has changed them."""
    reward = sequence_log_odds(discriminator)
    rng = rng_for(seed, "explain", "values")
    policy = generator.emitting()
    values = action_values(policy, sequences, reward, rollouts, rng=rng, stratified=True)
    count = len(sequences)
    rows = torch.arange(count, device=sequences.device).repeat_interleave(START)
    begun = generate(
        policy, len(rows), rng=rng_for(seed, "explain", "start"),
        condition=select_tree(sequences.condition, rows),
    )  # fmt: skip
    start = reward(begun).view(count, START).mean(1, keepdim=True)
    advantages = values - torch.cat([start, values[:, :-1]], 1)
    return {"values": _rows(values, sequences), "advantages": _rows(advantages, sequences)}


def _attention(sequences: Sequences, **models: Any) -> list[dict[str, Any]]:
    """The attention weights of each sequence by the model that has them."""
    found: list[dict[str, Any]] = [{} for _ in range(len(sequences))]
    for name, model in models.items():
        if model is None:
            continue
        with torch.no_grad(), evaluating(model):
            weights = model.attention_weights(sequences)
        for row, length in enumerate(sequences.lengths.tolist() if weights is not None else []):
            maps = weights[row, :, :, :length, :length].double().cpu()
            found[row][name] = maps.round(decimals=4).tolist()
    return found


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
