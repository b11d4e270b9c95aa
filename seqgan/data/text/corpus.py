"""A user's file as training, validation, held-out and test sequences of token ids."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import torch

from rollout.sequences import Sequences

from ...config import FileCorpus
from ...errors import ConfigError, DataError
from ..conditions import Conditions
from .asked import Asking, asked_for, conditions_of, names_of
from .cautions import unknown_cure
from .readers import Notes, Record, check_used, fitting, read_lines
from .report import CorpusReport, counted_lines, file_report, split_reports
from .rows import TokenRows
from .splits import LEAST, SPLITS, shuffled, split_rows
from .table import ROWS, Int64, Part, TokenTable, Types, UInt64, read_table
from .tokenizers import HuggingFaceTokenizer, Tokenizer, make_tokenizer
from .vocabulary import EOS, PAD, SPECIAL_TOKENS, UNK, Vocabulary

__all__ = ["TextCorpus", "corpus_from_lines", "load_corpus"]


@dataclass(frozen=True, eq=False)
class TextCorpus:
    """Four splits of token ids, the vocabulary they are written in, and a report.

    Attributes:
        train: [B, T] on the CPU; what generator and discriminator learn from.
        validation: for model selection.
        heldout: for measuring the discriminator; nothing learns from it.
        test: for the final figures, read once.
        vocabulary: the tokens, made from the training split alone.
        tokenizer: how texts were cut into tokens.
        report: counts, shares and warnings.
        source_names: the file each split comes from.
        eos: sequences end in EOS; False: all have one length.
        whole: the vocabulary is the tokenizer's own, and its tokens may all be emitted.
        conditions: labels and source tokens, if the sequences have them.
    """

    train: Sequences
    validation: Sequences
    heldout: Sequences
    test: Sequences
    vocabulary: Vocabulary
    tokenizer: Tokenizer
    report: CorpusReport
    source_names: dict[str, str]
    eos: bool
    whole: bool
    conditions: Conditions
    _strings: list[str] = field(repr=False)
    _parts: dict[str, Part] = field(repr=False)

    def split(self, name: str) -> Sequences:
        """The split called `name`: train, validation, heldout or test."""
        if name not in SPLITS:
            raise ValueError(f"there is no split {name!r}: it is one of {', '.join(SPLITS)}")
        found: Sequences = getattr(self, name)
        return found

    def tokens(self, name: str) -> list[list[str]]:
        """The tokens of a split as the model sees them: unknown ones are ``<unk>``; no EOS."""
        return [self.vocabulary.decode(row) for row in self.split(name).to_lists()]

    def original_tokens(self, name: str) -> list[list[str]]:
        """The tokens of a split as the file has them, those outside the vocabulary too."""
        return list(self.token_rows(name))

    def token_rows(self, name: str) -> TokenRows:
        """As `original_tokens`, made when they are read: for splits of millions of sequences."""
        count = len(self.split(name))
        part, strings = self._parts[name], self._strings

        def read(rows: Int64) -> list[list[str]]:
            some = Part(part.table, part.rows[rows], part.keys[rows])
            ends = np.cumsum(some.lengths()).tolist()
            tokens = [strings[number] for number in some.types().tolist()]
            return [tokens[start:end] for start, end in zip([0, *ends], ends, strict=False)]

        return TokenRows(count, read)

    def texts(self, sequences: Sequences) -> list[str]:
        """Sequences of this vocabulary as lines of text, for people to read."""
        return [
            self.tokenizer.detokenize(self.vocabulary.decode(row)) for row in sequences.to_lists()
        ]


def load_corpus(
    path: str | os.PathLike[str],
    config: FileCorpus,
    *,
    test_path: str | os.PathLike[str] | None = None,
    validation_path: str | os.PathLike[str] | None = None,
    seed: int = 0,
    vocabulary: Vocabulary | None = None,
) -> TextCorpus:
    """Reads a corpus from one file, or from up to three.

    Sequences that were cut out of one file share none: all copies of a sequence, equal token for
    token before unknown ones are replaced, are in one split; of pairs, all answers to a source. The
    shares of `config` therefore count *distinct* sequences (see `split_rows`). A test or validation
    file of its own is taken as it is; what it has in common with the training split is counted in
    the report, and no share
    for it is taken from `path`. A share of 0 gives a split without sequences.

    ``max_length`` counts EOS. A sequence that the limit cut has ``max_length`` tokens, no EOS, and
    ``terminated`` False; all others end in EOS.

    Args:
        path: the file to train on; see `read_lines` for the kinds.
        config: tokenizer, limits, shares.
        test_path: the file to test on.
        validation_path: the file to choose checkpoints on.
        seed: of the random split, and of the choice of ``num_train`` sequences.
        vocabulary: one to use, a pretrained model's say, instead of making one.

    Raises:
        DataError: a file cannot be read, a line is not what it should be, or a split would have
            fewer than two sequences.
        ConfigError: a setting makes no sense, or none for these files.
    """
    paths = {"train": path, "validation": validation_path, "test": test_path}
    named = {name: str(place) for name, place in paths.items() if place is not None}
    check_used([*named.values(), *config.tasks], config)
    if config.tasks and len(named) > 1:
        raise ConfigError(
            "--corpus.tasks: validation and test sequences are shares of all tasks; leave out "
            "--validation_data and --test_data"
        )
    sources = (_source(name, place, config) for name, place in named.items())
    return _corpus(sources, config, seed, vocabulary)


def corpus_from_lines(
    lines: Iterable[str],
    config: FileCorpus,
    *,
    name: str = "the lines",
    seed: int = 0,
    vocabulary: Vocabulary | None = None,
    labels: Iterable[str] | None = None,
) -> TextCorpus:
    """A corpus of lines that are in memory (or a generator); otherwise as `load_corpus`.

    Args:
        lines: the texts.
        config: tokenizer, limits, shares.
        name: what messages and the report call them.
        seed: of the random split.
        vocabulary: one to use instead of making one.
        labels: the label of each line, if ``config.label`` names what they are.

    Raises:
        DataError, ConfigError: as `load_corpus`.
    """
    notes = Notes()
    more = repeat(()) if labels is None else ((label,) for label in labels)

    def records() -> Iterator[Record]:
        for number, (line, label) in enumerate(zip(lines, more, strict=False), start=1):
            text = line.strip() if config.strip else line
            notes.stripped += len(text) < len(line)
            yield Record(text, number, label)

    return _corpus([("train", name, records(), notes)], config, seed, vocabulary)


def _corpus(
    sources: Iterable[tuple[str, str, Iterable[Record], Notes]],
    config: FileCorpus,
    seed: int,
    vocabulary: Vocabulary | None,
) -> TextCorpus:
    """The corpus of (split, file name, texts, notes); the first one is the file to train on."""
    tokenizer = make_tokenizer(config.tokenizer)
    types, asking = Types(), Asking(config, tokenizer)
    tables = {
        split: read_table(
            name,
            records,
            tokenizer,
            types,
            config,
            notes,
            asking.reader() if asking.names else None,
        )
        for split, name, records, notes in sources
    }
    limit = config.max_length if config.eos else _one_length(tables)
    keys = {split: table.keys() for split, table in tables.items()}
    strings = list(types)
    rows = _rows(tables, keys, strings, tokenizer, config, seed, vocabulary)
    parts, left_out = _parts(tables, keys, rows, config, seed)
    if vocabulary is None and config.whole_vocabulary:
        assert isinstance(tokenizer, HuggingFaceTokenizer)
        vocabulary = Vocabulary.from_list(tokenizer.vocabulary())
    if vocabulary is None:
        vocabulary = _vocabulary(parts["train"], strings, config)
    ids = np.array([vocabulary.encode((string,), eos=False)[0] for string in strings])
    _check_known(parts, ids, tokenizer, config)
    report = CorpusReport(
        tokenizer.name,
        len(vocabulary),
        limit,
        left_out,
        config.min_count,
        config.padding,
        config.num_train,
        [file_report(table, keys[split], types, config) for split, table in tables.items()],
        split_reports(parts, ids, strings, config.eos),
    )
    conditions = conditions_of(asking, parts)
    splits = {
        split: replace(
            _sequences(part, ids, config.eos), condition=asked_for(asking, conditions, part)
        )
        for split, part in parts.items()
    }
    return TextCorpus(
        **splits,
        vocabulary=vocabulary,
        tokenizer=tokenizer,
        report=report,
        source_names={split: part.table.name for split, part in parts.items()},
        eos=config.eos,
        whole=config.whole_vocabulary,
        conditions=conditions,
        _strings=strings,
        _parts=parts,
    )


def _source(split: str, path: str, config: FileCorpus) -> tuple[str, str, Iterable[Record], Notes]:
    """One of the files, or all of a corpus of tasks, as `_corpus` takes it."""
    notes, also = Notes(), names_of(config)
    if not config.tasks:
        return split, path, read_lines(path, fitting(config, path), notes=notes, also=also), notes
    del also["label"]
    files = [path, *config.tasks]
    names = [Path(file).name.removesuffix(".gz").rpartition(".")[0] or file for file in files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"--corpus.tasks: two files are called {twice[0]}; rename one")

    def records() -> Iterator[Record]:
        for file, name in zip(files, names, strict=True):
            for record in read_lines(file, fitting(config, file), notes=notes, also=also):
                yield record._replace(more=(name, *record.more))

    return split, " and ".join(files), records(), notes


def _rows(
    tables: dict[str, TokenTable],
    keys: dict[str, UInt64],
    strings: list[str],
    tokenizer: Tokenizer,
    config: FileCorpus,
    seed: int,
    vocabulary: Vocabulary | None,
) -> dict[str, Int64]:
    """The rows of the first file for each split.

    Raises:
        ConfigError: the shares leave nothing to train on.
        DataError: a file is too small; the message says all that is wrong.
    """
    source, problems, rows = tables["train"], list[str](), dict[str, Int64]()
    shares = {name: getattr(config, f"{name}_share") for name in SPLITS[1:] if name not in tables}
    try:
        rows = split_rows(
            keys["train"] if source.sources is None else source.sources.keys(),
            shares,
            contiguous=config.split == "contiguous",
            seed=seed,
            source=counted_lines(source),
        )
    except DataError as error:
        problems.append(str(error))
    for name, table in tables.items():
        if name != "train" and len(table) < LEAST[name]:
            problems.append(f"{counted_lines(table)}; the {name} split needs {LEAST[name]}")
    counts = np.bincount(source.types, minlength=len(strings))
    special = [i for i, string in enumerate(strings) if string in SPECIAL_TOKENS]
    most = int(np.delete(counts, special).max(initial=0))
    if vocabulary is None and most < config.min_count:
        problems.append(
            f"no token of {source.name} occurs {config.min_count} times, as often as "
            "--corpus.min_count asks: "
            + unknown_cure(source.glance.uncut, tokenizer.name, config.min_count)
        )
    if problems:
        raise DataError("; ".join(problems))
    return rows


def _parts(
    tables: dict[str, TokenTable],
    keys: dict[str, UInt64],
    rows: dict[str, Int64],
    config: FileCorpus,
    seed: int,
) -> tuple[dict[str, Part], int]:
    """The sequences of every split, and how many `num_train` leaves out."""
    source, count = tables["train"], len(rows["train"])
    if 0 < config.num_train < count:
        contiguous = config.split == "contiguous"
        order = np.arange(count) if contiguous else shuffled(count, seed + 1)
        rows["train"] = np.sort(rows["train"][order[: config.num_train]])
    parts = {name: Part(source, rows[name], keys["train"][rows[name]]) for name in SPLITS}
    for name, table in tables.items():
        if name != "train":
            parts[name] = Part(table, np.arange(len(table)), keys[name])
    return parts, count - len(rows["train"])


def _check_known(
    parts: dict[str, Part], ids: Int64, tokenizer: Tokenizer, config: FileCorpus
) -> None:
    """Refuses a vocabulary that holds no token of some split.

    Raises:
        DataError: it does not; the message says what to do.
    """
    unknown = [
        name for name, part in parts.items() if len(part) and bool((ids[part.types()] == UNK).all())
    ]
    if unknown:
        table = parts[unknown[0]].table
        cure = unknown_cure(table.glance.uncut, tokenizer.name, config.min_count)
        raise DataError(
            f"{table.name}: the vocabulary, made from the training split, holds no token of the "
            f"split{'s' * (len(unknown) > 1)} {', '.join(unknown)}: {cure}"
        )


def _vocabulary(train: Part, strings: list[str], config: FileCorpus) -> Vocabulary:
    """The vocabulary of the training split."""
    counts = np.bincount(train.types(), minlength=len(strings))
    return Vocabulary.from_counts(
        {strings[i]: int(counts[i]) for i in np.nonzero(counts)[0]},
        config.max_vocabulary,
        config.min_count,
    )


def _one_length(tables: dict[str, TokenTable]) -> int:
    """The length of all sequences of files without EOS; within a file they have one."""
    lengths = {table.name: int(table.lengths[0]) for table in tables.values()}
    if len({*lengths.values()}) > 1:
        found = ", ".join(f"{length} in {name}" for name, length in lengths.items())
        raise DataError(
            f"--corpus.eos false needs sequences of one length; their tokens are {found}"
        )
    return next(iter(lengths.values()))


def _sequences(part: Part, ids: Int64, eos: bool) -> Sequences:
    """The token ids of a split, EOS appended where there is one and the sequence was not cut."""
    table, rows = part.table, part.rows
    body = part.lengths()
    whole = ~table.cut[rows] & eos
    lengths = body + whole
    tokens = torch.full((len(rows), int(lengths.max(initial=0))), PAD, dtype=torch.int64)
    view = tokens.numpy()
    for start in range(0, len(rows), ROWS):
        some = slice(start, start + ROWS)
        types, places = table.gather(rows[some])
        of = np.repeat(np.arange(len(body[some])), body[some])
        view[some][of, places] = ids[types]
    view[np.nonzero(whole)[0], body[whole]] = EOS
    return Sequences(tokens, torch.from_numpy(lengths), torch.from_numpy(whole))
