"""Sentences for the user about a corpus: what was lost, what is read wrongly, what flatters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...config.names import MOLECULES
from .glance import CUTTING_AT_BLANKS

if TYPE_CHECKING:
    from .report import CorpusReport, FileReport, SplitReport

__all__ = ["NGRAM", "percent", "unknown_cure", "warnings_of"]

NGRAM = 4
"""The order of the n-grams whose overlap with the training split is reported."""

_LEAK_RATIO = 1.5
_LEAK_POINTS = 0.05
_SHARED = 0.05
_LOST = 0.01
_COPIES = 5
_DOMINANT = 0.05
_UNKNOWN = 0.2
_FEW = 20
_UNCUT = 0.8


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for None."""
    return "-" if share is None else f"{100 * share:.{digits}f}%"


def warnings_of(report: CorpusReport) -> Iterator[str]:
    """Warnings before a long run."""
    for file in report.files:
        if file.too_long > _LOST * file.lines:
            done = "left out" if file.too_long_action == "drop" else "cut"
            yield (
                f"{file.too_long:,} of {file.lines:,} {file.unit} of {file.path} "
                f"({percent(file.too_long / file.lines)}) are longer than {report.max_length} "
                f"tokens and were {done}: --corpus.max_length {file.limit_for_99} would keep 99% "
                "whole"
            )
        yield from _reading_warnings(file, report.tokenizer)
    if report.strips is not None and not any(file.padded for file in report.files):
        yield f"--corpus.padding {report.strips}: no sequence ends in this token"
    yield from _unknown_warnings(report)
    few = {name: split.sequences for name, split in report.splits.items() if name != "train"}
    if found := [f"{count} {name}" for name, count in few.items() if 0 < count < _FEW]:
        yield (
            f"{', '.join(found)} sequences are too few to tell models apart: what is measured on "
            "them, the verdict too, is for trying the commands out"
        )
    yield from _leak_warnings(report.splits)
    for name, split in report.splits.items():
        copies = split.most_repeated
        if name != "train" and copies >= _COPIES and copies > _DOMINANT * split.sequences:
            yield (
                f"{copies:,} of the {split.sequences:,} {name} sequences are the same one, which "
                "the file repeats: averages over this split lean on it"
            )


def _reading_warnings(file: FileReport, tokenizer: str) -> Iterator[str]:
    """Signs that a file is read in the wrong way."""
    if file.uncut >= _UNCUT and tokenizer in CUTTING_AT_BLANKS:
        yield (
            f"{percent(file.uncut)} of the {file.unit} of {file.path} cannot be cut at blanks, "
            f"where the tokenizer {tokenizer!r} cuts: for proteins, names, Chinese and the like "
            "give --corpus.tokenizer characters, for molecules smiles"
        )
    if file.padding is not None:
        yield (
            f"most {file.unit} of {file.path} end in several {file.padding!r}, which looks like "
            f"padding and would be learned and scored: --corpus.padding {file.padding} leaves it "
            "out"
        )


def _unknown_warnings(report: CorpusReport) -> Iterator[str]:
    """Splits with many unknown tokens, and what to do about them."""
    shares = {
        name: split.unknown_share
        for name, split in report.splits.items()
        if (split.unknown_share or 0) > _UNKNOWN
    }
    if not shares:
        return
    found = [report.splits[name] for name in shares]
    if 2 * sum(split.written_unknown for split in found) > sum(split.unknown for split in found):
        cure = (
            "most of them are written so in the file; a text with all its words has more to teach"
        )
    else:
        uncut = next(file.uncut for file in report.files if file.path == found[0].source)
        cure = unknown_cure(uncut, report.tokenizer, report.min_count)
    parts = ", ".join(f"{percent(share)} of the {name} split" for name, share in shares.items())
    yield f"unknown tokens (<unk>) are {parts}: {cure}"


def unknown_cure(uncut: float, tokenizer: str, min_count: int) -> str:
    """The way to have fewer unknown tokens.

    Args:
        uncut: share of the texts that cannot be cut at blanks.
        tokenizer: its name.
        min_count: tokens that are rarer are unknown.
    """
    characters = "--corpus.tokenizer characters"
    if uncut >= 0.5 and tokenizer in CUTTING_AT_BLANKS:
        return f"the text has hardly any blanks, where {tokenizer!r} cuts: give {characters}"
    rare = f"--corpus.min_count {min_count - 1} keeps rarer ones" if min_count > 1 else ""
    if tokenizer in ("characters", "integers", *MOLECULES):
        return f"{rare or 'the training split lacks them'}; or give more data"
    return f"{characters} makes tokens of characters" + (f", {rare}" if rare else "")


def _leak_warnings(splits: dict[str, SplitReport]) -> Iterator[str]:
    for name, split in splits.items():
        if name != "train" and (split.shared_share or 0) > _SHARED:
            yield (
                f"{split.shared:,} of {split.sequences:,} {name} sequences "
                f"({percent(split.shared_share)}) are in the training split word for word: "
                f"figures on the {name} split reward memorising"
            )
    validation, test = splits["validation"].ngram_overlap, splits["test"].ngram_overlap
    if validation is None or test is None:
        return
    if validation > _LEAK_RATIO * test and validation - test > _LEAK_POINTS:
        yield (
            f"the validation split shares {percent(validation)} of its {NGRAM}-grams with the "
            f"training split, the test split {percent(test)}: lines come in families, several "
            "about the same thing; early stopping on validation will overfit, and validation "
            "figures flatter. Try --corpus.split contiguous, or give validation a file of its own "
            "(--validation_data FILE)"
        )
