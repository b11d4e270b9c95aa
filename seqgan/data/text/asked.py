"""Conditions of the sequences of a file: a label, a source sequence, or both.

They stand in columns or fields beside the text. While a file is read, labels and source tokens get
numbers by first appearance, as the tokens of the texts do.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...config import FileCorpus
from ...errors import DataError, did_you_mean
from ..conditions import Conditions
from .table import ROWS, Int64, Part, Ragged, Types
from .tokenizers import Tokenizer
from .vocabulary import EOS, PAD, Vocabulary

__all__ = ["Asking", "asked_for", "conditions_of", "names_of"]

MOST_LABELS = 1_000
"""Labels at most; a column with more values holds something else."""


def names_of(config: FileCorpus) -> dict[str, str]:
    """The parts of a condition, each with the column or field that holds it."""
    label = "the names of the files" if config.tasks else config.label
    names = {"label": label, "source": config.source}
    return {part: name for part, name in names.items() if name is not None}


class Asking:
    """The parts of a condition, and the types met so far, shared by the files of a corpus.

    Args:
        config: the names of the label and of the source.
        tokenizer: cuts source texts.
    """

    def __init__(self, config: FileCorpus, tokenizer: Tokenizer):
        self.names = names_of(config)
        self.config, self.tokenizer = config, tokenizer
        self.labels, self.tokens = Types(), Types()

    def reader(self) -> Reader:
        """Notes the conditions of one file."""
        return Reader(self)


class Reader:
    """The conditions of the sequences of one file, in their order.

    Args:
        asking: the parts, and their types.
    """

    def __init__(self, asking: Asking):
        self.asking = asking
        self.labels, self.flat, self.lengths = array("i"), array("i"), array("i")

    def cut(self, name: str, line: int, more: Sequence[str]) -> tuple[int, list[str]] | None:
        """The number of the label and the source tokens of a record; None if one is empty.

        Raises:
            DataError: a label is too long for one, or the source cannot be cut.
        """
        asking, label, tokens = self.asking, -1, list[str]()
        found = dict(zip(asking.names, more, strict=True))
        if "label" in found:
            text = found["label"].strip()
            if not text:
                raise DataError(f"{name}, line {line}: the label is empty (--corpus.label)")
            label = asking.labels[text]
            if len(asking.labels) > MOST_LABELS:
                raise DataError(
                    f"{name}: more than {MOST_LABELS:,} labels in {asking.names['label']!r} "
                    "(--corpus.label); a text that sequences follow is --corpus.source"
                )
        if "source" in found:
            try:
                tokens = asking.tokenizer.tokenize(found["source"])
            except DataError as error:
                raise DataError(f"{name}, line {line}, source: {error}") from error
            if not tokens:
                return None
        return label, tokens

    def add(self, label: int, tokens: Sequence[str]) -> None:
        """Keeps the condition of a sequence that is kept."""
        if "label" in self.asking.names:
            self.labels.append(label)
        if "source" in self.asking.names:
            self.flat.extend(map(self.asking.tokens.__getitem__, tokens))
            self.lengths.append(len(tokens))

    def result(self) -> tuple[np.ndarray | None, Ragged | None]:
        """The labels int32 [B], and the source tokens; None for a part that is not asked for."""
        labels = sources = None
        if "label" in self.asking.names:
            labels = np.frombuffer(self.labels, dtype=np.int32)
        if "source" in self.asking.names:
            starts = np.zeros(len(self.lengths) + 1, dtype=np.int64)
            np.cumsum(np.frombuffer(self.lengths, dtype=np.int32), out=starts[1:])
            sources = Ragged(np.frombuffer(self.flat, dtype=np.int32), starts)
        return labels, sources


def conditions_of(asking: Asking, parts: dict[str, Part]) -> Conditions:
    """The labels and the source vocabulary of a corpus, out of its training split.

    Raises:
        DataError: another split has a label that the training split lacks.
    """
    train, config = parts["train"], asking.config
    names, labels, source, longest = list(asking.labels), list[str](), None, 0
    if "label" in asking.names:
        labels = sorted(names[i] for i in np.unique(_labels(train)))
        for split, part in parts.items():
            lacking = [names[i] for i in np.unique(_labels(part)) if names[i] not in labels]
            if lacking:
                raise DataError(
                    f"{part.table.name}: the {split} split has the label {lacking[0]!r}, which the "
                    f"training split lacks{did_you_mean(lacking[0], labels)}; give more data of it"
                )
    if "source" in asking.names:
        strings = list(asking.tokens)
        counts = np.bincount(_sources(train).gather(train.rows)[0], minlength=len(strings))
        source = Vocabulary.from_counts(
            {strings[i]: int(counts[i]) for i in np.nonzero(counts)[0]},
            config.max_vocabulary, config.min_count,
        )  # fmt: skip
        tables = {id(part.table): _sources(part) for part in parts.values()}
        longest = max(int(np.diff(each.starts).max()) for each in tables.values()) + 1
    return Conditions(tuple(labels), source, asking.tokenizer, longest)


def asked_for(asking: Asking, conditions: Conditions, part: Part) -> dict[str, Tensor] | None:
    """The condition of a split's sequences; see `seqgan.models.conditions` for its parts."""
    condition: dict[str, Tensor] = {}
    if conditions.labels:
        ids = {label: i for i, label in enumerate(conditions.labels)}
        numbers = np.array([ids.get(name, -1) for name in asking.labels], dtype=np.int64)
        condition["label"] = torch.from_numpy(numbers[_labels(part)])
    if conditions.source is not None:
        ids_of = np.array(
            [conditions.source.encode((each,), eos=False)[0] for each in asking.tokens]
        )
        condition["source"], condition["source_length"] = _padded(
            _sources(part), part.rows, ids_of, conditions.source_length
        )
    return condition or None


def _padded(sources: Ragged, rows: Int64, ids: Int64, width: int) -> tuple[Tensor, Tensor]:
    """Source ids [B, width], EOS at the end of each, and their lengths."""
    body = sources.starts[rows + 1] - sources.starts[rows]
    tokens = torch.full((len(rows), width), PAD, dtype=torch.int64)
    view = tokens.numpy()
    for start in range(0, len(rows), ROWS):
        some = slice(start, start + ROWS)
        types, places = sources.gather(rows[some])
        view[some][np.repeat(np.arange(len(body[some])), body[some]), places] = ids[types]
    view[np.arange(len(rows)), body] = EOS
    return tokens, torch.from_numpy(body + 1)


def _labels(part: Part) -> np.ndarray:
    assert part.table.labels is not None
    return part.table.labels[part.rows]


def _sources(part: Part) -> Ragged:
    assert part.table.sources is not None
    return part.table.sources
