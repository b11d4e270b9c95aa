"""What a corpus is made of, and what was done to the user's lines on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ...config import CorpusConfig
from .table import Int64, Part, TokenTable, Types, UInt64
from .vocabulary import SPECIAL_TOKENS, UNK

__all__ = ["CorpusReport", "FileReport", "SplitReport", "file_report", "split_reports"]

NGRAM = 4
"""The order of the n-grams whose overlap with the training split is reported."""

_LEAK_RATIO = 1.5
_LEAK_POINTS = 0.05
_SHARED = 0.05
_LOST = 0.01
_COPIES = 5
_DOMINANT = 0.05


@dataclass(frozen=True)
class FileReport:
    """The lines of one file.

    Attributes:
        path: the file.
        lines: how many texts it has.
        empty: how many had no token; they were left out.
        too_long: how many had more tokens than the limit, EOS counted.
        too_long_action: what was done to those: ``truncate`` or ``drop``.
        longest: tokens of the longest of those, EOS counted; 0 where there are none.
        limit_for_99: the length limit under which 99% of the lines would have been kept whole.
        sequences: how many sequences were kept.
        repeated: how many of them equal an earlier one.
        special_words: words spelled like a special token; they were read as ``<unk>``.
    """

    path: str
    lines: int
    empty: int
    too_long: int
    too_long_action: str
    longest: int
    limit_for_99: int
    sequences: int
    repeated: int
    special_words: int


@dataclass(frozen=True)
class SplitReport:
    """The sequences of one split. Means and shares are None where it has none.

    Attributes:
        source: the file.
        sequences: how many.
        distinct: how many different ones.
        truncated: how many the length limit cut; they do not end in EOS.
        tokens: how many tokens, EOS counted.
        mean_length: tokens a sequence, EOS counted.
        max_length: tokens of the longest sequence, EOS counted.
        unknown: tokens that the vocabulary does not hold.
        unknown_share: of the tokens without EOS.
        words: blank-separated words of the texts (of what was kept, where they were cut).
        characters: code points of the same.
        most_repeated: how many copies of its most frequent sequence it has.
        shared: sequences that stand in the training split too.
        shared_share: of the sequences of this split.
        ngram_overlap: share of the 4-grams of this split, each occurrence counted, that occur in
            the training split.
    """

    source: str
    sequences: int
    distinct: int
    truncated: int
    tokens: int
    mean_length: float | None
    max_length: int
    unknown: int
    unknown_share: float | None
    words: int
    characters: int
    most_repeated: int
    shared: int
    shared_share: float | None
    ngram_overlap: float | None


@dataclass(frozen=True)
class CorpusReport:
    """Files, splits, and what the user should know about them.

    Attributes:
        tokenizer: its name.
        vocabulary_size: V, special tokens counted.
        max_length: the length limit in tokens, EOS counted.
        left_out: training sequences left out because of ``--corpus.num_train``.
        files: one `FileReport` a file.
        splits: one `SplitReport` for train, validation, heldout and test.
        warnings: sentences for the user.
    """

    tokenizer: str
    vocabulary_size: int
    max_length: int
    left_out: int
    files: list[FileReport]
    splits: dict[str, SplitReport]
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.warnings:
            self.warnings.extend(_warnings(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report for people."""
        return [
            f"tokenizer {self.tokenizer}, vocabulary {self.vocabulary_size:,} "
            f"(4 special tokens counted), longest sequence {self.max_length}",
            *(_file_line(file) for file in self.files),
            *([f"{self.left_out:,} training sequences left out (num_train)"] * bool(self.left_out)),
            *_table(self.splits),
            *(f"warning: {warning}" for warning in self.warnings),
        ]


def _file_line(file: FileReport) -> str:
    done = {"drop": "left out", "truncate": "cut"}[file.too_long_action]
    parts = [f"{file.path}: {file.lines:,} lines"]
    if file.empty:
        parts.append(f"{file.empty:,} empty (left out)")
    if file.too_long:
        parts.append(f"{file.too_long:,} too long ({done}; the longest has {file.longest:,})")
    parts.append(f"{file.repeated:,} repeated")
    if file.special_words:
        parts.append(f"{file.special_words:,} words like '<unk>' or '<eos>' (read as <unk>)")
    return ", ".join(parts)


def _table(splits: dict[str, SplitReport]) -> Iterator[str]:
    row = "{:<10} {:>10} {:>11} {:>6} {:>5} {:>8} {:>9} {:>16}"
    yield row.format(
        "split", "sequences", "tokens", "mean", "max", "unknown", "in train", "4-grams in train"
    )
    for name, split in splits.items():
        mean = "-" if split.mean_length is None else f"{split.mean_length:.1f}"
        train = name == "train"
        yield row.format(
            name,
            f"{split.sequences:,}",
            f"{split.tokens:,}",
            mean,
            split.max_length,
            _percent(split.unknown_share, 2),
            "" if train else f"{split.shared:,}",
            "" if train else _percent(split.ngram_overlap),
        )


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}%"


def _warnings(report: CorpusReport) -> Iterator[str]:
    for file in report.files:
        if file.too_long > _LOST * file.lines:
            done = "left out" if file.too_long_action == "drop" else "cut"
            yield (
                f"{file.too_long:,} of {file.lines:,} lines of {file.path} "
                f"({_percent(file.too_long / file.lines)}) are longer than {report.max_length} "
                f"tokens and were {done}: --corpus.max_length {file.limit_for_99} would keep 99% "
                "whole"
            )
    yield from _leak_warnings(report.splits)
    for name, split in report.splits.items():
        copies = split.most_repeated
        if name != "train" and copies >= _COPIES and copies > _DOMINANT * split.sequences:
            yield (
                f"{copies:,} of the {split.sequences:,} {name} sequences are the same one, which "
                "the file repeats: averages over this split lean on it"
            )


def _leak_warnings(splits: dict[str, SplitReport]) -> Iterator[str]:
    for name, split in splits.items():
        if name != "train" and (split.shared_share or 0) > _SHARED:
            yield (
                f"{split.shared:,} of {split.sequences:,} {name} sequences "
                f"({_percent(split.shared_share)}) are in the training split word for word: "
                f"figures on the {name} split reward memorising"
            )
    validation, test = splits["validation"].ngram_overlap, splits["test"].ngram_overlap
    if validation is None or test is None:
        return
    if validation > _LEAK_RATIO * test and validation - test > _LEAK_POINTS:
        yield (
            f"the validation split shares {_percent(validation)} of its {NGRAM}-grams with the "
            f"training split, the test split {_percent(test)}: lines come in families, several "
            "about the same thing; early stopping on validation will overfit, and validation "
            "figures flatter. Try --corpus.split contiguous, or give validation a file of its own "
            "(--validation_data FILE)"
        )


def file_report(table: TokenTable, keys: UInt64, types: Types, config: CorpusConfig) -> FileReport:
    """What was met in one file.

    Args:
        table: its sequences, B of them.
        keys: uint64 [B], equal for equal sequences.
        types: the numbers of the token strings.
        config: what was to be done with long sequences.
    """
    lengths = np.concatenate([np.diff(table.starts)[~table.cut] + 1, table.long_lengths])
    special = [types[token] for token in SPECIAL_TOKENS if token in types]
    return FileReport(
        path=table.name,
        lines=table.lines,
        empty=table.empty,
        too_long=len(table.long_lengths),
        too_long_action=config.too_long,
        longest=int(table.long_lengths.max(initial=0)),
        limit_for_99=int(np.quantile(lengths, 0.99, method="higher")),
        sequences=len(table),
        repeated=len(table) - len(np.unique(keys)),
        special_words=int(np.isin(table.types, special).sum()),
    )


def split_reports(parts: dict[str, Part], ids: Int64) -> dict[str, SplitReport]:
    """What each split is made of.

    Args:
        parts: the splits; all are compared with ``train``.
        ids: int64, the token id of every type.
    """
    overlaps = _ngram_overlaps(parts)
    return {
        name: _split_report(part, parts["train"], ids, overlaps.get(name))
        for name, part in parts.items()
    }


def _split_report(part: Part, train: Part, ids: Int64, overlap: float | None) -> SplitReport:
    count = len(part)
    body = part.lengths()
    cut = part.table.cut[part.rows]
    lengths = body + ~cut
    unknown = int((ids[part.types()] == UNK).sum())
    copies = np.unique(part.keys, return_counts=True)[1]
    shared = int(np.isin(part.keys, train.keys).sum()) if part is not train else count
    return SplitReport(
        source=part.table.name,
        sequences=count,
        distinct=len(copies),
        truncated=int(cut.sum()),
        tokens=int(lengths.sum()),
        mean_length=float(lengths.mean()) if count else None,
        max_length=int(lengths.max(initial=0)),
        unknown=unknown,
        unknown_share=unknown / int(body.sum()) if count else None,
        words=int(part.table.words[part.rows].sum(dtype=np.int64)),
        characters=int(part.table.characters[part.rows].sum(dtype=np.int64)),
        most_repeated=int(copies.max(initial=0)),
        shared=shared,
        shared_share=shared / count if count else None,
        ngram_overlap=overlap,
    )


def _ngram_overlaps(parts: dict[str, Part]) -> dict[str, float]:
    """The share of each split's n-grams, counted with repetition, that the training split has.

    The training split may be large: its n-grams are looked up some sequences at a time among
    those of the other splits, and never kept.
    """
    found = {name: list(part.ngrams(NGRAM)) for name, part in parts.items() if name != "train"}
    grams = {name: np.concatenate(keys) for name, keys in found.items() if keys}
    grams = {name: keys for name, keys in grams.items() if len(keys)}
    if not grams:
        return {}
    asked = np.unique(np.concatenate(list(grams.values())))
    in_train = np.zeros(len(asked), dtype=np.bool_)
    for keys in parts["train"].ngrams(NGRAM):
        distinct = np.unique(keys)
        places = np.minimum(np.searchsorted(asked, distinct), len(asked) - 1)
        in_train[places[asked[places] == distinct]] = True
    return {
        name: float(in_train[np.searchsorted(asked, keys)].mean()) for name, keys in grams.items()
    }
