"""Music as a data set: MIDI or ABC files, or tunes of the corpus that comes with music21."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rollout import Sequences

from ...config import MusicCorpus
from ...errors import DataError, MissingExtraError
from ..conditions import Conditions
from ..dataset import Dataset
from ..spec import TokenSpec
from ..text.rows import TokenRows
from ..text.splits import SPLITS, shuffled, split_rows
from ..text.vocabulary import Vocabulary
from .abc import read_abc, split_abc
from .codec import MusicCodec
from .keys import KEYS, key_of, pitch_classes
from .midi import read_midi, require_symusic
from .tunes import Tune, events, tune_of, windows

__all__ = ["CORPORA", "load_music"]

CORPORA = {"irish": "oneills1850", "folksongs": "essenFolksong"}
"""The folders of music21's corpus by the names of sources."""
FLAGS = ("--data", "--validation_data", "--test_data")
"""Of the training, validation and test pieces."""


class _Rows(NamedTuple):
    """Sequences of one source, and what was left out.

    Attributes:
        name: of the source, for messages.
        tokens: of each sequence, without EOS.
        pieces: for each the number of its piece; equal pieces have one number.
        left_out: how often each reason to leave a piece or a sequence out was met.
        first: where a reason was met first.
    """

    name: str
    tokens: list[list[str]]
    pieces: list[int]
    left_out: Counter[str]
    first: dict[str, str]

    def leave_out(self, reason: str, place: str) -> None:
        """Counts a piece or a sequence that is left out."""
        self.left_out[reason] += 1
        self.first.setdefault(reason, place)

    def select(self, rows: Any) -> list[list[str]]:
        """The tokens of some sequences."""
        return [self.tokens[row] for row in rows.tolist()]


def load_music(
    source: str,
    config: MusicCorpus,
    test_data: str | None,
    validation_data: str | None,
    seed: int,
) -> Dataset:
    """The music that `source` names, as a data set.

    Sequences of one piece are in one split. Every token of the data has an id; tokens that the
    training split lacks are never emitted.

    Args:
        source: a name in `CORPORA`, a file, or a pattern of files.
        config: bars, steps, limits, shares.
        test_data: the same with the test pieces.
        validation_data: the same with the validation pieces.
        seed: of the splits.

    Raises:
        DataError: a file cannot be read, or there are too few pieces.
        MissingExtraError: symusic is not installed, or music21, which a corpus comes with.
    """
    require_symusic(f"--data {source}")  # samples are written as MIDI
    named = {"train": source, "validation": validation_data, "test": test_data}
    found = {
        split: _read(name, config, flag)
        for (split, name), flag in zip(named.items(), FLAGS, strict=True)
        if name is not None
    }
    whole = found["train"]
    shares = {name: getattr(config, f"{name}_share") for name in SPLITS[1:] if name not in found}
    keys = np.array(whole.pieces, dtype=np.uint64)
    what = f"{source}: {len(keys):,} sequences"
    rows = split_rows(keys, shares, contiguous=False, seed=seed, source=what)
    if 0 < config.num_train < len(rows["train"]):
        order = shuffled(len(rows["train"]), seed + 1)[: config.num_train]
        rows["train"] = np.sort(rows["train"][order])
    splits = {name: whole.select(rows[name]) for name in SPLITS}
    splits |= {name: each.tokens for name, each in found.items() if name != "train"}
    keyed = {name: [_key(row, config.steps) for row in each] for name, each in splits.items()}
    known = {key for key in keyed["train"] if key is not None}
    labels = sorted(known) if config.label else []
    silent = unknown_keys = 0
    if labels:  # silence has no key, and what the training split lacks cannot be asked for
        for name in SPLITS:
            kept = [i for i, key in enumerate(keyed[name]) if key in labels]
            silent += keyed[name].count(None)
            unknown_keys += len(splits[name]) - len(kept) - keyed[name].count(None)
            splits[name] = [splits[name][i] for i in kept]
            keyed[name] = [keyed[name][i] for i in kept]
    codec = _codec(splits, config, len(labels))
    number = {key: i for i, key in enumerate(labels)}
    asked = {
        name: [number[key] for key in keyed[name] if key is not None] for name in SPLITS if labels
    }
    sequences = {name: _sequences(splits[name], codec, asked.get(name)) for name in SPLITS}
    report = _report(splits, codec, found, unknown_keys, silent)
    rows_of = {name: TokenRows(len(each), _reader(each)) for name, each in splits.items()}
    conditions = Conditions(tuple(KEYS[key] for key in labels))
    lines = _lines(source, report, found)
    return Dataset(
        source,
        sequences["train"],
        sequences["validation"],
        sequences["heldout"],
        sequences["test"],
        codec,
        lambda name: rows_of[name],
        conditions=conditions,
        report=report,
        report_lines=[*lines, *conditions.lines(sequences["train"].condition)],
    )


def _reader(rows: list[list[str]]) -> Callable[[Any], list[list[str]]]:
    return lambda chosen: [list(rows[row]) for row in chosen.tolist()]


def _files(source: str, flag: str) -> list[Path]:
    """The files of a source, in order; `flag` named it."""
    if source in CORPORA and not Path(source).exists():
        package = find_spec("music21")
        if package is None or package.origin is None:
            raise MissingExtraError("music21", "music", f"{flag} {source}")
        folder = Path(package.origin).parent / "corpus" / CORPORA[source]
        found = sorted(folder.glob("[!t]*.abc"))  # the files test*.abc repeat others
    elif Path(source).is_file():  # its name may hold what patterns are made of
        found = [Path(source)]
    else:
        found = sorted(map(Path, glob.glob(source, recursive=True)))
    if not found:
        raise DataError(f"{flag}: {source}: there is no such file")
    return found


def _read(source: str, config: MusicCorpus, flag: str) -> _Rows:
    """The sequences of a source; `flag` named it."""
    rows = _Rows(source, [], [], Counter(), {})
    numbers: dict[tuple[str, ...], int] = {}
    for file in _files(source, flag):
        for place, tune in _tunes(file, config.steps, rows):
            if config.meter is not None and set(tune.meters) != {config.meter}:
                rows.leave_out("another time signature", place)
                continue
            piece = numbers.setdefault(tuple(events(tune)), len(numbers))
            for bars in windows(tune, config.bars):
                tokens = events(tune, bars)
                if len(tokens) + 1 > config.max_length:
                    rows.leave_out(f"longer than --corpus.max_length {config.max_length}", place)
                    continue
                rows.tokens.append(tokens)
                rows.pieces.append(piece)
    if not rows.tokens:
        raise DataError(f"{flag}: {source}: nothing is left; left out: {_counted(rows)}")
    return rows


def _tunes(file: Path, steps: int, rows: _Rows) -> list[tuple[str, Tune]]:
    """The tunes of a file, each with its place; one that cannot be read is counted."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from None
    if file.suffix.lower() != ".abc":
        try:
            return [(file.name, read_midi(content, steps))]
        except DataError as error:
            rows.leave_out(str(error), file.name)
            return []
    found = []
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # what files of the last century are written in
    for number, part in enumerate(split_abc(text), start=1):
        place = f"{file.name}, tune {number}"
        try:
            found.append((place, read_abc(part, steps)))
        except DataError as error:
            rows.leave_out(str(error), place)
    return found


def _key(tokens: list[str], steps: int) -> int | None:
    notes = tune_of(tokens, steps).notes
    return key_of(pitch_classes(notes)) if notes else None


def _codec(splits: dict[str, list[list[str]]], config: MusicCorpus, labels: int) -> MusicCodec:
    """The codec of all tokens in the data, in an order that the data do not change."""
    seen = {name: {token for row in rows for token in row} for name, rows in splits.items()}
    everywhere = set().union(*seen.values())
    vocabulary = Vocabulary.from_list(sorted(everywhere, key=_place))
    lacking = [vocabulary.encode((x,), eos=False)[0] for x in everywhere - seen["train"]]
    longest = max(len(row) for rows in splits.values() for row in rows) + 1
    spec = TokenSpec(
        len(vocabulary), vocabulary.bos_id, vocabulary.eos_id, vocabulary.pad_id, longest,
        (vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id), tuple(sorted(lacking)),
        labels=labels,
    )  # fmt: skip
    return MusicCodec(vocabulary, spec, config.steps)


def _place(token: str) -> tuple[str, int, str]:
    """Sorts tokens by kind, then by number, then by name."""
    kind = token[0] if token[0] in "|@:" else "pitch" if token[0].isalpha() else "/"
    return kind, int(token[1:]) if kind in "@:" else 0, token


def _sequences(rows: list[list[str]], codec: MusicCodec, labels: list[int] | None) -> Sequences:
    """Token ids with EOS and padding."""
    ids = [codec.vocabulary.encode(row) for row in rows]
    lengths = torch.tensor([len(row) for row in ids], dtype=torch.int64)
    tokens = torch.full((len(ids), codec.spec.max_length), codec.spec.pad_id)
    for i, row in enumerate(ids):
        tokens[i, : len(row)] = torch.tensor(row)
    condition = None if labels is None else {"label": torch.tensor(labels, dtype=torch.int64)}
    return Sequences(tokens, lengths, torch.ones(len(ids), dtype=torch.bool), condition)


def _report(
    splits: dict[str, list[list[str]]],
    codec: MusicCodec,
    found: dict[str, _Rows],
    unknown_keys: int,
    silent: int,
) -> dict[str, Any]:
    known = {tuple(row) for row in splits["train"]}
    return {
        "vocabulary_size": codec.spec.vocab_size,
        "max_length": codec.spec.max_length,
        "steps": codec.steps,
        "pieces": {name: len(set(each.pieces)) for name, each in found.items()},
        "left_out": {name: dict(each.left_out) for name, each in found.items()},
        "keys_left_out": unknown_keys,
        "silent_left_out": silent,
        "splits": {
            name: {
                "sequences": len(rows),
                "tokens": sum(len(row) + 1 for row in rows),
                "shared": sum(tuple(row) in known for row in rows),
            }
            for name, rows in splits.items()
        },
    }


def _lines(source: str, report: dict[str, Any], found: dict[str, _Rows]) -> list[str]:
    sizes = ", ".join(f"{each['sequences']:,} {name}" for name, each in report["splits"].items())
    lines = [
        f"{source}: {report['pieces']['train']:,} distinct pieces as sequences: {sizes}",
        f"{report['vocabulary_size']} token ids, longest sequence {report['max_length']} (EOS "
        "counted)",
    ]
    for each in found.values():
        if each.left_out:
            count = each.left_out.total()
            lines.append(f"{each.name}: {count:,} left out: {_counted(each)}")
    if report["silent_left_out"]:
        lines.append(f"{report['silent_left_out']} sequences left out: silence has no key")
    if report["keys_left_out"]:
        lines.append(
            f"{report['keys_left_out']} sequences left out: no training sequence has their key"
        )
    return lines


def _counted(rows: _Rows) -> str:
    """The most frequent reasons, and where each was met first."""
    reasons = rows.left_out
    shown = [
        f"{reason} ({count:,}, first: {rows.first[reason]})"
        for reason, count in reasons.most_common(4)
    ]
    return "; ".join(shown + ["..."] * (len(reasons) > 4)) or "nothing"
