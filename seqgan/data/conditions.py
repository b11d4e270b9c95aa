"""Conditions as people write them: labels by name, source sequences as text.

A condition is a dict of tensors, batch first: ``{"label": int64 [B]}``, and for source sequences
``{"source": int64 [B, S], "source_length": int64 [B]}`` with EOS at the end of each and padding
after it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError, ConfigError, did_you_mean
from .spec import TokenSpec
from .text.one_line import one_line
from .text.tokenizers import Tokenizer, save_tokenizer, saved_tokenizer
from .text.vocabulary import PAD, Vocabulary

__all__ = ["CONDITIONS", "Conditions", "load_conditions"]

CONDITIONS, SOURCES = "conditions.json", "source_vocabulary.json"


@dataclass(frozen=True)
class Conditions:
    """The conditions of a data set; by default none.

    Attributes:
        labels: their names; a label's place is its number.
        source: the tokens of source sequences, or None.
        tokenizer: cuts and joins source texts; None without sources.
        source_length: tokens of the longest source sequence, EOS counted.
    """

    labels: tuple[str, ...] = ()
    source: Vocabulary | None = None
    tokenizer: Tokenizer | None = None
    source_length: int = 0

    def __bool__(self) -> bool:
        return bool(self.labels) or self.source is not None

    @property
    def parts(self) -> list[str]:
        """The parts in words."""
        return ["labels"] * bool(self.labels) + ["source texts"] * (self.source is not None)

    def announced(self, spec: TokenSpec) -> TokenSpec:
        """The token ids with the sizes of the conditions."""
        size = 0 if self.source is None else len(self.source)
        return spec._replace(
            labels=len(self.labels), source_vocab=size, source_length=self.source_length
        )

    def asked(self, label: str | None, sources: Sequence[str] | None) -> dict[str, Tensor] | None:
        """The condition of questions of the user's.

        Args:
            label: name of the label of all, or None.
            sources: a text per question, or None.

        Raises:
            ConfigError: a part is missing, or is none of the model's.
        """
        count = 1 if sources is None else len(sources)
        condition: dict[str, Tensor] = {}
        if self.labels:
            condition["label"] = torch.full((count,), self._number(label))
        elif label is not None:
            raise ConfigError(f"--condition: {label!r}: the model was trained without labels")
        if self.source is not None:
            if not sources:
                raise ConfigError("--source: the model answers source texts: give a file of them")
            condition |= self._encoded(self.source, sources)
        elif sources is not None:
            raise ConfigError("--source: the model was trained without source texts")
        return condition or None

    def _number(self, label: str | None) -> int:
        known = ", ".join(self.labels[:20])
        if label is None:
            raise ConfigError(f"--condition: the model is asked for a label: one of {known}")
        if label not in self.labels:
            near = did_you_mean(label, self.labels)
            raise ConfigError(f"--condition: {label!r} is none of {known}{near}")
        return self.labels.index(label)

    def _encoded(self, vocabulary: Vocabulary, sources: Sequence[str]) -> dict[str, Tensor]:
        assert self.tokenizer is not None
        rows = [vocabulary.encode(self.tokenizer.tokenize(text)) for text in sources]
        for number, row in enumerate(rows, start=1):
            if not 1 < len(row) <= self.source_length:
                raise ConfigError(
                    f"--source, line {number}: has {len(row) - 1} tokens; the model reads 1 to "
                    f"{self.source_length - 1}"
                )
        tokens = torch.full((len(rows), self.source_length), PAD)
        for i, row in enumerate(rows):
            tokens[i, : len(row)] = torch.tensor(row)
        return {"source": tokens, "source_length": torch.tensor([len(row) for row in rows])}

    def names(self, condition: Any) -> list[str]:
        """The name of each sequence's label."""
        return [self.labels[number] for number in condition["label"].tolist()]

    def sources(self, condition: Any) -> list[str]:
        """The source of each sequence as one line of text."""
        assert self.source is not None and self.tokenizer is not None
        rows = zip(condition["source"].tolist(), condition["source_length"].tolist(), strict=True)
        return [
            one_line(self.tokenizer.detokenize(self.source.decode(row[:length])))
            for row, length in rows
        ]

    def described(self, condition: Any) -> list[dict[str, str]]:
        """Each sequence's label and source, as far as there are any."""
        columns = {}
        if self.labels:
            columns["label"] = self.names(condition)
        if self.source is not None:
            columns["source"] = self.sources(condition)
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def words(self, condition: Any) -> list[str]:
        """Each sequence's label and source as one line; an empty list for no conditions."""
        return [", ".join(found.values()) for found in self.described(condition)]

    def lines(self, condition: Any) -> list[str]:
        """The conditions of the training split, for people."""
        lines = []
        if self.labels:
            counts = torch.bincount(condition["label"], minlength=len(self.labels)).tolist()
            counted = [f"{name} {n:,}" for name, n in zip(self.labels, counts, strict=True)]
            more = f", and {len(counted) - 20} more" if len(counted) > 20 else ""
            lines.append(f"labels of the training split: {', '.join(counted[:20])}{more}")
        if self.source is not None:
            lines.append(
                f"sources: vocabulary {len(self.source):,}, longest {self.source_length} (EOS "
                "counted)"
            )
        return lines

    def fingerprint(self) -> str:
        """A hash that differs for conditions with another meaning; empty for none."""
        if not self:
            return ""
        source = "" if self.source is None else self.source.fingerprint()
        return hashlib.sha256(json.dumps([self.labels, source]).encode()).hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Writes its files into a folder; nothing if there are no conditions."""
        if not self:
            return
        if self.source is not None:
            self.source.save(folder / SOURCES)
        content = {
            "labels": list(self.labels),
            "source_length": self.source_length,
            "tokenizer": None
            if self.source is None or self.tokenizer is None
            else save_tokenizer(self.tokenizer, folder),
            "fingerprint": self.fingerprint(),
        }
        (folder / CONDITIONS).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_conditions(
    folder: Path, spec: TokenSpec, tokenizer: Tokenizer | None = None
) -> Conditions:
    """The conditions that `Conditions.save` wrote into a folder.

    Args:
        folder: the folder; it may be a stranger's, and never causes an import.
        spec: the token ids of the generator that they belong to.
        tokenizer: the one to cut sources by if the saved one is not built in.

    Raises:
        CheckpointError: a file is missing or damaged, or belongs to another generator.
        ConfigError: the tokenizer is not built in, and none is given.
    """
    if not spec.condition:
        return Conditions()
    path = folder / CONDITIONS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels = tuple(str(label) for label in content["labels"])
        length, wanted = int(content["source_length"]), content["fingerprint"]
        source = Vocabulary.load(folder / SOURCES) if spec.source_vocab else None
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; without it labels have no names") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from None
    if source is None:
        tokenizer = None
    elif tokenizer is None:
        tokenizer = saved_tokenizer(str(content.get("tokenizer")), folder)
    found = Conditions(labels, source, tokenizer, length)
    if found.fingerprint() != wanted or found.announced(spec) != spec:
        raise CheckpointError(f"{path}: of another generator; put the right file back")
    return found
