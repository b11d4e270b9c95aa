"""The part of models that reads conditions: which parts of one, and labels as embeddings.

A condition is a dict of tensors, batch first: ``{"label": int64 [B]}``, or a source sequence as
``{"source": int64 [B, S], "source_length": int64 [B]}``. A model reads the parts that both its
class names in `reads` and its token ids (`TokenSpec`) announce.

Shapes: B sequences, R rows in flight, L labels, E embedding.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rollout import ConditionError

from ..data.spec import TokenSpec

__all__ = ["ReadsConditions", "blank_condition"]


class ReadsConditions:
    """Base of models that may read conditions.

    Attributes:
        reads: the parts that models of this class can read.
        conditional: if this model reads a part; without, sequences that have a condition are
            refused.
        labels: embeddings of the labels, in a model that reads them by `read_labels`.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    conditional = False
    labels: nn.Embedding
    _labelled = False

    def announce(self, spec: TokenSpec) -> None:
        """Notes from the token ids if there is a condition to read."""
        if set(self.reads) & set(spec.condition):
            self.conditional = True

    def read_labels(self, spec: TokenSpec, size: int) -> None:
        """Makes an embedding [L, E] of the labels, if there are any."""
        if spec.labels:
            self.labels, self._labelled = nn.Embedding(spec.labels, size), True

    def label_vectors(self, condition: Any) -> list[Tensor]:
        """The vector [R, E] that is added to each token embedding; none without labels.

        A list of one or none: it is a part of a generator's state, row by row.

        Raises:
            rollout.ConditionError: the model reads a label, and there is none.
        """
        if not self._labelled:
            return []
        return [self.labels(self.part(condition, "label"))]

    def part(self, condition: Any, name: str) -> Tensor:
        """A tensor of a condition.

        Raises:
            rollout.ConditionError: the condition has no such part.
        """
        if not isinstance(condition, dict) or name not in condition:
            raise ConditionError(
                f"{type(self).__name__} reads the part {name!r} of a condition, and none came; "
                f"give condition={{{name!r}: ...}}"
            )
        found: Tensor = condition[name]
        return found


def blank_condition(spec: TokenSpec, rows: int) -> dict[str, Tensor] | None:
    """A condition of the right shapes for `rows` sequences; None if the tokens come without."""
    condition = {}
    if spec.labels:
        condition["label"] = torch.zeros(rows, dtype=torch.int64)
    if spec.source_vocab:
        condition["source"] = torch.zeros(rows, spec.source_length, dtype=torch.int64)
        condition["source_length"] = torch.ones(rows, dtype=torch.int64)
    return condition or None
