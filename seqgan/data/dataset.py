"""A data set: sequences of token ids in four splits, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from rollout import Constraint, Sequences

from ..seeding import rng_for
from .codec import Codec
from .conditions import Conditions
from .prompts import Prompts, prompts_of
from .spec import TokenSpec

__all__ = ["Dataset", "Density", "TokenSpec", "drawn_report", "fingerprint", "random_rows"]


class Density(Protocol):
    """A source that knows the probability of every sequence."""

    def log_prob(self, sequences: Sequences) -> Tensor:
        """Log-probability [B] in nats; -inf for what the source never emits."""


@dataclass(frozen=True)
class Dataset:
    """Sequences of token ids in four splits, and what is known of their source.

    Attributes:
        source: what ``--data`` named.
        train: what generator and discriminator learn from.
        validation: for the choice of checkpoints and temperatures.
        heldout: real sequences that neither model is trained on, to measure the discriminator by.
        test: for the final figures, read once.
        codec: text to token ids and back.
        real_tokens: the tokens of a split ("train", "test", ...) as its source has them, before
            unknown ones were replaced: what n-gram metrics compare with. A list, or something that
            makes them when they are read.
        density: the source's own density, or None.
        report: counts and warnings, as JSON has it.
        report_lines: the same for people.
        labels: for each split the labels int64 [n] of its sequences, if they are known. Metrics
            read them; models see none but those of a condition.
        conditions: what the sequences can be asked for by: labels, source texts.
        constraint: the tokens that may follow a prefix of a sample; None: all.
    """

    source: str
    train: Sequences
    validation: Sequences
    heldout: Sequences
    test: Sequences
    codec: Codec
    real_tokens: Callable[[str], Sequence[list[Any]]]
    density: Density | None = None
    report: dict[str, Any] = field(default_factory=dict)
    report_lines: list[str] = field(default_factory=list)
    labels: dict[str, Tensor] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=Conditions)
    constraint: Constraint | None = None

    @property
    def spec(self) -> TokenSpec:
        """The token ids."""
        return self.codec.spec

    def prompts(self, split: str = "train") -> Prompts:
        """Prompts of a policy: the conditions of a split's sequences, if they have any."""
        return prompts_of(getattr(self, split))


def drawn_report(spec: TokenSpec, splits: dict[str, Sequences]) -> dict[str, Any]:
    """The report of data that are drawn, not read: sizes alone."""
    sizes = {
        name: {"sequences": len(split), "tokens": int(split.lengths.sum())}
        for name, split in splits.items()
    }
    return {"vocabulary_size": spec.vocab_size, "max_length": spec.max_length, "splits": sizes}


def random_rows(data: Dataset, split: str) -> Tensor:
    """All rows of a split in random order: neighbouring lines of a file are often alike.

    The order is the same for all seeds, so that seeds with one test set measure on the same part
    of it.
    """
    rng = rng_for(0, "rows", split)
    return torch.randperm(len(getattr(data, split)), generator=rng)


def fingerprint(data: Dataset) -> str:
    """A hash of all splits: equal for equal data, settings and seed."""
    digest = hashlib.sha256()
    for name in ("train", "validation", "heldout", "test"):
        split: Sequences = getattr(data, name)
        conditions = [] if split.condition is None else tree_leaves(split.condition)
        for part in (split.tokens, split.lengths, *conditions):
            digest.update(np.ascontiguousarray(part.numpy()).data)
    digest.update(data.codec.fingerprint().encode())
    digest.update(data.conditions.fingerprint().encode())
    return digest.hexdigest()[:16]
