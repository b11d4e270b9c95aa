"""Prompts of a policy: a condition, tokens to begin with, and groups that share a prompt.

Shapes: B sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from rollout import Sequences
from rollout.sequences import select_tree

__all__ = [
    "Beginnings", "DataPrompts", "Grouped", "NoPrompts", "Prompt", "Prompts", "Questions",
    "WithNoise", "prompts_of",
]  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """Prompts of B sequences; by default nothing.

    Attributes:
        condition: a pytree of tensors, batch first (a label, a source sequence, noise), or None.
        prefix: B sequences that the samples begin with, or None.
        groups: int64 [B], equal for the sequences that answer one question, or None: each is alone.
    """

    condition: Any = None
    prefix: Sequences | None = None
    groups: Tensor | None = None


class Prompts(Protocol):
    """A source of questions."""

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """The questions for `count` sequences."""


class NoPrompts:
    """Asks for nothing: the policy samples freely."""

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """No condition and no prefix."""
        return Prompt()


class Questions:
    """Questions of the user's: conditions, and the same first tokens for all.

    Args:
        prefix: token ids that every sequence begins with.
        condition: a pytree of tensors, one row per question, or None: one question alone.
    """

    def __init__(self, prefix: Sequence[int] = (), condition: Any = None):
        self.prefix, self.condition = list(prefix), condition
        rows = [len(leaf) for leaf in tree_leaves(condition) if leaf is not None]
        self.count = rows[0] if rows else 1

    def __len__(self) -> int:
        return self.count

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """Each question equally often, one after another; `count` is a multiple of their number."""
        assert count % self.count == 0
        rows = torch.arange(self.count).repeat_interleave(count // self.count)
        prefix = Sequences.from_lists([self.prefix] * count, pad_id=0) if self.prefix else None
        return Prompt(select_tree(self.condition, rows), prefix)


class DataPrompts:
    """The conditions of real sequences, in random order.

    Each comes as often as any other, or once more.

    Args:
        sequences: with a condition.

    Raises:
        ValueError: they have none, or there are no sequences.
    """

    def __init__(self, sequences: Sequences):
        if sequences.condition is None or not len(sequences):
            raise ValueError("prompts are drawn from sequences that have a condition; these do not")
        self.condition, self.count = sequences.condition, len(sequences)

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """The conditions of `count` of the sequences."""
        rounds = -(-count // self.count)
        orders = [torch.randperm(self.count, generator=rng) for _ in range(rounds)]
        return Prompt(select_tree(self.condition, torch.cat(orders)[:count]))


class Beginnings:
    """The first tokens of real sequences, in random order, to be gone on with.

    Args:
        sequences: real ones; their conditions are asked for too.
        length: tokens that are given; of a shorter sequence all but the last.
    """

    def __init__(self, sequences: Sequences, length: int):
        self.sequences, self.length = sequences, length

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """The beginnings of `count` sequences."""
        rows = torch.randint(len(self.sequences), (count,), generator=rng)
        drawn = self.sequences.select(rows.to(self.sequences.device))
        lengths = (drawn.lengths - 1).clamp(min=0, max=self.length)
        width = min(self.length, drawn.tokens.shape[1])
        return Prompt(drawn.condition, Sequences(drawn.tokens[:, :width], lengths))


class Grouped:
    """Several sequences for each question, one after another, so that they can be compared.

    If nothing is asked, all sequences answer the same question, and there are no groups.

    Args:
        prompts: the questions.
        size: sequences per question.
    """

    def __init__(self, prompts: Prompts, size: int):
        self.prompts, self.size = prompts, size

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """The questions for `count` sequences; the last may have fewer than the others."""
        asked = self.prompts.draw(-(-count // self.size), rng)
        if asked.condition is None and asked.prefix is None:
            return asked
        rows = torch.arange(count) // self.size
        prefix = None if asked.prefix is None else asked.prefix.select(rows)
        return Prompt(select_tree(asked.condition, rows), prefix, rows)


class WithNoise:
    """Other questions, each with numbers from N(0, 1) as the part "noise" of its condition.

    Args:
        prompts: the questions.
        size: Z, numbers per sequence.
    """

    def __init__(self, prompts: Prompts, size: int):
        self.prompts, self.size = prompts, size

    def draw(self, count: int, rng: torch.Generator) -> Prompt:
        """The questions for `count` sequences, and noise [count, Z]."""
        asked = self.prompts.draw(count, rng)
        noise = torch.randn(count, self.size, generator=rng)
        return replace(asked, condition={**(asked.condition or {}), "noise": noise})


def prompts_of(sequences: Sequences) -> Prompts:
    """The conditions of `sequences`, if they have any."""
    return NoPrompts() if sequences.condition is None else DataPrompts(sequences)
