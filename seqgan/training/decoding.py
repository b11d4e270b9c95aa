"""Sequences as people ask for them: drawn under rules, greedy, searched for, the best of several.

Shapes: Q questions, N sequences per question, B = Q N.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rollout import (
    Constraint,
    Policy,
    Reward,
    RuledPolicy,
    Rules,
    Sampler,
    Sequences,
    beam_search,
    constrained,
    resample,
)
from rollout.completion import default_chunk_size, policy_device
from rollout.modules import evaluating
from rollout.sequences import map_tree

from ..config.decoding import Decoding
from ..data.prompts import Questions
from ..errors import ConfigError
from ..models import Generator
from ..models.generator import prompted
from ..seeding import rng_for
from .sampling import draw

__all__ = ["Scores", "decode", "scores"]

BATCH = 256
"""Sequences that are scored at a time."""
MOST_ROUNDS = 50
"""Times that sequences are drawn in the search for distinct ones."""


@dataclass(frozen=True)
class Scores:
    """Figures of B sequences.

    Attributes:
        log_prob: float64 [B], log-probability in nats of the tokens after the prefix under the
            model as it was trained: temperature 1, no rules.
        tokens: int64 [B], number of those tokens, EOS counted.
        log_odds: [B], the discriminator's, positive for real; None without one. Where another judge
            is given, its values.
    """

    log_prob: Tensor
    tokens: Tensor
    log_odds: Tensor | None


def decode(
    model: Generator,
    settings: Decoding,
    questions: Questions,
    number: int,
    forbidden: Sequence[int] = (),
    judge: Reward | None = None,
    constraint: Constraint | None = None,
) -> Sequences:
    """`number` sequences for each question, those of a question one after another.

    Args:
        model: the generator.
        settings: how they are made.
        questions: what is asked for.
        number: N.
        forbidden: ids that are never emitted.
        judge: log-odds of a discriminator, for the best by it and for `rescore`; or the reward,
            for the best by that.
        constraint: the tokens that may follow a prefix; None: all.

    Raises:
        ConfigError: the settings do not fit the model, or too few distinct sequences are found.
    """
    policy = constrained(_under_rules(model, settings, forbidden), constraint)
    if settings.beams:
        return _searched(policy, settings, questions, number)
    sampler = Sampler(settings.temperature, settings.top_k, settings.top_p, settings.min_p)
    if settings.greedy:
        sampler = Sampler(top_k=1)

    def drawn(turn: int) -> Sequences:
        rng = rng_for(settings.seed, "sample", *([turn] if turn else []))
        count = len(questions) * number * settings.best_of * settings.rescore
        found = draw(policy, count, rng, questions, sampler=sampler).sequences
        if settings.rescore > 1:
            assert judge is not None
            return found.select(_rescored(judge(found), settings, turn).to(found.device))
        if settings.best_of == 1:
            return found
        figures = scores(model, found, len(questions.prefix), judge)
        return found.select(_best(figures, settings).to(found.device))

    return _distinct(drawn, len(questions), number) if settings.unique else drawn(0)


@torch.no_grad()
def scores(
    model: Generator, sequences: Sequences, prefix: int = 0, judge: Reward | None = None
) -> Scores:
    """Figures of sequences that begin with `prefix` tokens that were given."""
    log_prob = []
    with evaluating(model):
        for batch in sequences.split(BATCH):
            log_prob.append(model(batch).log_prob[:, prefix:].cpu().double().sum(1))
    odds = None if judge is None else judge(sequences).cpu()
    return Scores(torch.cat(log_prob), sequences.lengths.cpu() - prefix, odds)


def _under_rules(model: Generator, settings: Decoding, forbidden: Sequence[int]) -> Policy:
    """The policy that sequences come from; without a rule it is the model's own."""
    longest = settings.max_length
    if longest is not None and longest > model.max_length:
        raise ConfigError(
            f"--max_length: {longest} is above the model's longest sequence, {model.max_length}"
        )
    if settings.min_length > model.max_length:
        raise ConfigError(
            f"--min_length: {settings.min_length} is above the model's longest sequence, "
            f"{model.max_length}"
        )
    if settings.min_length and model.eos_id is None:
        raise ConfigError(f"--min_length: all sequences have {model.max_length} tokens; leave out")
    emitted = set(range(model.vocab_size)) - {*model.spec.forbidden, *model.spec.withheld}
    if emitted <= {*forbidden, model.eos_id}:
        raise ConfigError("--forbid: no word is left that could be emitted")
    policy = model.emitting()
    if forbidden:
        policy = policy.withholding(forbidden)
    rules = Rules((), settings.repetition_penalty, settings.min_length, longest)
    return policy if rules == Rules() else RuledPolicy(policy, rules)


def _searched(policy: Policy, settings: Decoding, questions: Questions, number: int) -> Sequences:
    """The best of a beam search for each question, given the noise that is drawn for it, if any.

    As many questions at once as memory is meant to hold rows.
    """
    device, count = policy_device(policy), len(questions)
    asked = prompted(policy, questions).draw(count, rng_for(settings.seed, "sample"))
    size = max(1, default_chunk_size(policy, device) // settings.beams)
    parts = []
    for part in torch.arange(count).split(size):
        found = beam_search(
            policy,
            settings.beams,
            questions=len(part),
            condition=map_tree(lambda x, part=part: x[part].to(device), asked.condition),
            prefix=questions.prefix,
            length_penalty=settings.length_penalty,
        )
        kept = found.log_prob.cpu()[:, :number].isfinite()
        if not bool(kept.all()):
            raise ConfigError(
                f"--beams: the model has only {int(kept.sum(1).min())} sequences to offer; ask for "
                "fewer with --number"
            )
        rows = torch.arange(len(part) * settings.beams).view(len(part), -1)[:, :number]
        parts.append(found.sequences.select(rows.flatten().to(found.sequences.device)))
    return parts[0] if len(parts) == 1 else Sequences.concat(parts, pad_id=policy.pad_id)


def _best(found: Scores, settings: Decoding) -> Tensor:
    """The rows of the best of each group of `best_of`."""
    if settings.best_by == "likelihood":
        score = found.log_prob / found.tokens.clamp(min=1)
    else:
        assert found.log_odds is not None
        score = found.log_odds.double()
    groups = score.view(-1, settings.best_of)
    return torch.arange(len(groups)) * settings.best_of + groups.argmax(1)


def _rescored(log_odds: Tensor, settings: Decoding, turn: int) -> Tensor:
    """A row of each group of `rescore`, drawn with weights exp(beta f)."""
    groups = settings.rescore_beta * log_odds.cpu().double().view(-1, settings.rescore)
    rng = rng_for(settings.seed, "rescore", *([turn] if turn else []))
    uniforms = torch.rand(len(groups), 1, generator=rng, dtype=torch.float64)
    chosen = resample(groups, 1, uniforms.clamp(min=1e-12), "multinomial")[:, 0]
    return torch.arange(len(groups)) * settings.rescore + chosen


def _distinct(drawn: Callable[[int], Sequences], questions: int, number: int) -> Sequences:
    """`number` different sequences for each question, out of as many rounds as it takes."""
    known: list[set[tuple[int, ...]]] = [set() for _ in range(questions)]
    parts: list[Sequences] = []
    owners: list[int] = []
    for turn in range(MOST_ROUNDS):
        found, rows = drawn(turn), []
        for row, tokens in enumerate(found.to_lists()):
            mine = known[row // number]
            if len(mine) < number and tuple(tokens) not in mine:
                mine.add(tuple(tokens))
                rows.append(row)
        parts.append(found.select(torch.tensor(rows, dtype=torch.int64, device=found.device)))
        owners += [row // number for row in rows]
        if len(owners) == questions * number:
            order = torch.tensor(owners).argsort(stable=True)
            return Sequences.concat(parts, pad_id=0).select(order.to(found.device))
    least = min(len(mine) for mine in known)
    raise ConfigError(
        f"--unique: {least:,} different sequences in {MOST_ROUNDS * number:,} draws; ask for fewer "
        "with --number, or for more variety with a higher --temperature"
    )
