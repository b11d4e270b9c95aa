"""Real sequences for generated ones, pair by pair, that answer the same question.

Shapes: N real sequences, B generated ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rollout import Sequences

__all__ = ["Alike"]


class Alike:
    """Real sequences by what they were asked for.

    A loss that compares the sequences of a pair, or looks between them, would otherwise compare
    answers to two questions.

    Args:
        real: the sequences [N], with a condition: a dict of tensors.
    """

    def __init__(self, real: Sequences):
        self._names = sorted(real.condition)
        keys = self._keys(real.condition)
        self._numbers: dict[bytes, int] = {}
        numbers = torch.tensor([self._numbers.setdefault(x, len(self._numbers)) for x in keys])
        self._order = numbers.argsort(stable=True)
        self._counts = numbers.bincount()
        self._starts = self._counts.cumsum(0) - self._counts

    def numbers(self, condition: Any) -> Tensor:
        """The question of each generated sequence as a number, int64 [B].

        Args:
            condition: of the sequences, each of which a real one has too.
        """
        return torch.tensor([self._numbers[key] for key in self._keys(condition)])

    def rows(self, numbers: Tensor, rng: torch.Generator) -> Tensor:
        """A random real sequence for each question: rows [B]."""
        uniforms = torch.rand(len(numbers), generator=rng, dtype=torch.float64)
        places = (uniforms * self._counts[numbers]).long()
        return self._order[self._starts[numbers] + places]

    def _keys(self, condition: Any) -> list[bytes]:
        parts = [condition[name].cpu() for name in self._names]
        joined = torch.cat([part.reshape(len(part), -1) for part in parts], 1)
        return [row.tobytes() for row in joined.numpy()]
