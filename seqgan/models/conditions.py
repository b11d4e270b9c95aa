"""The part of models that reads conditions: which parts of one, and labels as embeddings.

A condition is a dict of tensors, batch first: ``{"label": int64 [B]}``, or a source sequence as
``{"source": int64 [B, S], "source_length": int64 [B]}``. A model reads the parts that both its
class names in `reads` and its token ids (`TokenSpec`) announce. A third part is no data's but a
generator's own: ``{"noise": [B, Z]}``, numbers from N(0, 1) that a sequence is drawn with.

Shapes: B sequences, T tokens, R rows in flight, L labels, E embedding, Z noise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rollout import ConditionError, Sequences
from rollout.randomness import UniformStream

from ..data.spec import TokenSpec
from .recurrent import GRU
from .source import SourceVector

__all__ = ["ReadsConditions", "blank_condition", "with_noise", "without_noise"]


_KEY = int(UniformStream(torch.Generator().manual_seed(0), "cpu").key)
"""Of the noise that the tokens of a sequence fix."""


class ReadsConditions:
    """Base of models that may read conditions.

    Attributes:
        reads: the parts that models of this class can read.
        conditional: if this model reads a part; without, sequences that have a condition are
            refused.
        labels: embeddings of the labels, in a model that reads them by `read_labels`.
        source: the reader of sources, in a model that reads them by `read_source`.
        noise_size: Z; 0 in a model that reads none.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    conditional = False
    labels: nn.Embedding
    noise: nn.Linear
    noise_size = 0
    source: nn.Module
    _labelled = _sourced = False

    def announce(self, spec: TokenSpec) -> None:
        """Notes from the token ids if there is a condition to read."""
        if set(self.reads) & set(spec.condition):
            self.conditional = True

    def read_labels(self, spec: TokenSpec, size: int) -> None:
        """Makes an embedding [L, E] of the labels, if there are any."""
        if spec.labels:
            self.labels, self._labelled = nn.Embedding(spec.labels, size), True

    def read_noise(self, size: int, width: int) -> None:
        """Makes a map from noise [Z] to vectors [E], if there is any noise."""
        self.noise_size = size
        if size:
            self.noise, self.conditional = nn.Linear(size, width, bias=False), True

    def read_source(self, spec: TokenSpec, width: int) -> None:
        """Makes a reader of the sources that gives a vector [E], if there are any."""
        if spec.source_vocab:
            self.source = SourceVector(spec, GRU, width)
            self._sourced = True

    def condition_vectors(self, condition: Any) -> list[Tensor]:
        """The vector [R, E] that is added to each token embedding; none without a condition.

        A list of one or none: it is a part of a generator's state, row by row.

        Raises:
            rollout.ConditionError: the model reads a part of it that is not there.
        """
        parts = []
        if self._labelled:
            parts.append(self.labels(self.part(condition, "label")))
        if self._sourced:
            found = self.part(condition, "source"), self.part(condition, "source_length")
            parts.append(self.source(*found))
        if self.noise_size:
            noise = self.part(condition, "noise")
            parts.append(self.noise(noise.to(self.noise.weight.dtype)))
        return [torch.stack(parts).sum(0)] if parts else []

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


def without_noise(sequences: Sequences) -> Sequences:
    """The same sequences without the noise that they were drawn with, which only they have."""
    condition = sequences.condition
    if not isinstance(condition, dict) or "noise" not in condition:
        return sequences
    others = {name: each for name, each in condition.items() if name != "noise"}
    return replace(sequences, condition=others or None)


def with_noise(sequences: Sequences, size: int, fresh: bool) -> Sequences:
    """The same sequences with noise [B, Z], for those that have none because they are data.

    Args:
        sequences: the sequences.
        size: Z.
        fresh: drawn from torch's default generator, as dropout is; otherwise each sequence has
            the numbers that its tokens fix, whatever the batch that it stands in.
    """
    condition = sequences.condition or {}
    if "noise" in condition:
        return sequences
    if fresh:
        noise = torch.randn(len(sequences), size, device=sequences.device)
    else:
        # Filled in, not copied from the host, which the recording of a CUDA graph would refuse.
        key = torch.full((1,), _KEY, dtype=torch.int64, device=sequences.device)
        stream = UniformStream.of(key)
        places = torch.arange(sequences.tokens.shape[1], device=sequences.device)
        keys = stream.rows(sequences.tokens, places).masked_fill(~sequences.mask, 0).sum(1)
        uniforms = stream.ahead(keys, 0, size).to(sequences.device).T
        noise = torch.special.ndtri(uniforms).float()
    return replace(sequences, condition={**condition, "noise": noise})


def blank_condition(spec: TokenSpec, rows: int) -> dict[str, Tensor] | None:
    """A condition of the right shapes for `rows` sequences; None if the tokens come without."""
    condition = {}
    if spec.labels:
        condition["label"] = torch.zeros(rows, dtype=torch.int64)
    if spec.source_vocab:
        condition["source"] = torch.zeros(rows, spec.source_length, dtype=torch.int64)
        condition["source_length"] = torch.ones(rows, dtype=torch.int64)
    return condition or None
