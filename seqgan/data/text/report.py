"""Report on a corpus: its contents, and what was done to the user's lines on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ...config import FileCorpus
from .cautions import NGRAM, percent, warnings_of
from .table import Int64, Part, TokenTable, Types, UInt64
from .vocabulary import SPECIAL_TOKENS, UNK

__all__ = [
    "CorpusReport",
    "FileReport",
    "SplitReport",
    "counted_lines",
    "file_report",
    "split_reports",
]


@dataclass(frozen=True)
class FileReport:
    """The lines of one file.

    Attributes:
        path: the file.
        lines: how many texts it has.
        empty: how many had no token; they were left out.
        too_long: how many had more tokens than the limit, EOS counted.
        too_long_action: what was done to those: ``truncate``, ``drop``, ``error`` (there are none).
        longest: tokens of the longest of those, EOS counted; 0 where there are none.
        limit_for_99: the length limit under which 99% of the lines would have been kept whole.
        sequences: how many sequences were kept.
        repeated: how many of them equal an earlier one.
        special_words: words spelled like a special token; they were read as ``<unk>``.
        unit: what the file has one of for each text: lines, or records.
        header: the first row where it names the columns; "none" where a table has none; None where
            the format has no header.
        comments: lines that were skipped as comments.
        stripped: texts with white space around them, which was left out.
        padded: sequences whose padding was left out.
        padding: a token that seems to fill up most sequences, and was not left out; or None.
        uncut: share of the first texts that a tokenizer which cuts at blanks cannot cut.
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
    unit: str
    header: str | None
    comments: int
    stripped: int
    padded: int
    padding: str | None
    uncut: float


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
        written_unknown: those of the unknown tokens that the file itself writes as ``<unk>``.
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
    written_unknown: int
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
        min_count: tokens that are rarer in the training split became ``<unk>``.
        strips: the padding that was to be left out, or None.
        num_train: most training sequences that were to be used; 0: all.
        files: one `FileReport` a file.
        splits: one `SplitReport` for train, validation, heldout and test.
        warnings: sentences for the user.
    """

    tokenizer: str
    vocabulary_size: int
    max_length: int
    left_out: int
    min_count: int
    strips: str | None
    num_train: int
    files: list[FileReport]
    splits: dict[str, SplitReport]
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.warnings:
            self.warnings.extend(warnings_of(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report for people."""
        return [
            f"tokenizer {self.tokenizer}, vocabulary {self.vocabulary_size:,} "
            f"(4 special tokens counted), longest sequence {self.max_length}",
            *(_file_line(file) for file in self.files),
            *self._training_lines(),
            *_table(self.splits),
            *(f"warning: {warning}" for warning in self.warnings),
        ]

    def _training_lines(self) -> Iterator[str]:
        there = self.splits["train"].sequences
        if self.left_out:
            yield f"{self.left_out:,} training sequences left out (num_train)"
        elif there < self.num_train:
            yield f"all {there:,} training sequences used (num_train allows {self.num_train:,})"


def _file_line(file: FileReport) -> str:
    done = "left out" if file.too_long_action == "drop" else "cut"
    parts = [f"{file.path}: {file.lines:,} {file.unit}"]
    if file.header is not None:
        parts.append("no header" if file.header == "none" else f"header: {file.header}")
    if file.comments:
        parts.append(f"{file.comments:,} comment lines (skipped)")
    if file.stripped:
        parts.append(f"{file.stripped:,} with white space around (left out)")
    if file.padded:
        parts.append(f"{file.padded:,} with padding (left out)")
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
            percent(split.unknown_share, 2),
            "" if train else f"{split.shared:,}",
            "" if train else percent(split.ngram_overlap),
        )


def counted_lines(table: TokenTable) -> str:
    """A file and how many sequences it has, for messages: ``a.txt: 500 lines``."""
    parts = [f"{table.empty:,} empty"] * (table.empty > 0)
    if left_out := table.lines - table.empty - len(table):
        parts.append(f"{left_out:,} too long")
    lost = f" ({', '.join(parts)})" if parts else ""
    count, unit = table.lines, _unit(table)
    return f"{table.name}: {count:,} {unit if count != 1 else unit[:-1]}{lost}"


def _unit(table: TokenTable) -> str:
    return "lines" if table.notes.kind == "lines" else "records"


def file_report(table: TokenTable, keys: UInt64, types: Types, config: FileCorpus) -> FileReport:
    """Counts of one file.

    Args:
        table: its sequences, B of them.
        keys: uint64 [B], equal for equal sequences.
        types: the numbers of the token strings.
        config: what was to be done with long sequences.
    """
    lengths = np.concatenate([np.diff(table.starts)[~table.cut] + config.eos, table.long_lengths])
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
        unit=_unit(table),
        header=table.notes.header,
        comments=table.notes.comments,
        stripped=table.notes.stripped,
        padded=table.padded,
        padding=table.glance.padding() if config.padding is None else None,
        uncut=table.glance.uncut,
    )


def split_reports(
    parts: dict[str, Part], ids: Int64, strings: list[str], eos: bool
) -> dict[str, SplitReport]:
    """Counts of each split.

    Args:
        parts: the splits; all are compared with ``train``.
        ids: int64, the token id of every type.
        strings: the token string of every type.
        eos: sequences end in EOS.
    """
    overlaps = _ngram_overlaps(parts)
    written = np.array([i for i, string in enumerate(strings) if string in SPECIAL_TOKENS], int)
    return {
        name: _split_report(part, parts["train"], ids, written, overlaps.get(name), eos)
        for name, part in parts.items()
    }


def _split_report(
    part: Part, train: Part, ids: Int64, written: Int64, overlap: float | None, eos: bool
) -> SplitReport:
    count = len(part)
    body = part.lengths()
    cut = part.table.cut[part.rows]
    lengths = body + (~cut & eos)
    types = part.types()
    unknown = int((ids[types] == UNK).sum())
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
        written_unknown=int(np.isin(types, written).sum()),
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
