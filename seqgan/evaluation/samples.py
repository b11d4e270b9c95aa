"""Scores of samples against a file of references, whatever made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..config import EvaluateConfig
from ..config.names import MOLECULES
from ..data.text.glance import CUTTING_AT_BLANKS, uncut_share
from ..data.text.readers import Notes, Record, check_used, fitting, read_lines
from ..data.text.special import SpecialWords
from ..data.text.table import check_listed, cut_text, without_padding
from ..data.text.tokenizers import Tokenizer, make_tokenizer
from ..data.text.vocabulary import SPECIAL_TOKENS, UNK
from ..errors import DataError
from ..metrics import Score
from ..metrics.molecules import has_rdkit
from ..seeding import derive_seed, rng_for
from .molecules import MoleculeTexts
from .scoring import Scorer, Wording
from .text_scores import TextScores

__all__ = ["References", "file_scores"]

LEAST_SHARED = 0.3
"""Samples whose tokens occur in the references less than this share as often as the references'
own do in each other were cut by another tokenizer, or are of another language."""

MOST_UNCUT = 0.8
"""The share of lines without blanks above which a text is no text of words."""


def file_scores(settings: EvaluateConfig, tell: Callable[[str], None]) -> dict[str, list[Score]]:
    """Scores of the samples that `settings` name.

    Args:
        settings: samples, references, and how they are read and compared.
        tell: is called with what the user should know.

    Returns:
        The scores of "samples", and of "real", the references, where something was measured that is
        read beside real sequences.

    Raises:
        DataError: a file cannot be read, holds too few sequences, or a text that the tokenizer
            cannot cut, or samples and references are not cut alike.
        ConfigError, MissingExtraError: an unknown tokenizer, embedder or judge, or one that is not
            installed.
    """
    assert settings.samples is not None
    against = References(settings, tell)
    samples = _samples(against.read(settings.samples), settings)
    scores = {"samples": against.scores(samples, settings.samples)}
    real = against.real(len(samples))
    return scores | ({"real": real} if real else {})


class References:
    """A file of real sequences, and how samples are compared with them.

    Args:
        settings: references, training file, tokenizers, and what is measured.
        tell: is called with what the user should know.

    Raises:
        DataError, ConfigError, MissingExtraError: as `file_scores`.
    """

    def __init__(self, settings: EvaluateConfig, tell: Callable[[str], None]):
        assert settings.references is not None
        self.settings, self.tell = settings, tell
        self.between = _tokenizer(settings, "bleu_tokenizer")
        self.within = _tokenizer(settings, "self_bleu_tokenizer")
        # Tokenizers give every word that stands for unknown ones as <unk>.
        self.unknown = None if settings.unk is None else SPECIAL_TOKENS[UNK]
        self.scorer = Scorer(settings.resamples or 1_000, 0.95, settings.seed or 0)
        self.measures = TextScores(
            self.scorer, settings.embedder, settings.mauve, settings.judge,
            settings.judge_samples, settings.metrics, "--",
        )  # fmt: skip
        self.name = Path(settings.references).name.replace("|", "/")  # as a signature can hold it
        files = (settings.samples, settings.references, settings.training)
        check_used([file for file in files if file is not None], settings.corpus)
        self.records = _filled(self.read(settings.references), settings.references)
        self._check_cuttable(self.records, settings.references)
        self.tokens = _tokens(self.records, self.between, settings.references)
        self.training = None
        if settings.training is not None:
            self.training = _filled(self.read(settings.training), settings.training)

    def read(self, path: str) -> list[Record]:
        """The sequences of a file, read as the settings say.

        Raises:
            DataError, ConfigError: as `read_lines`; or a tokenizer would cut lists of tokens anew.
        """
        reading, notes = self.settings.corpus, Notes()
        records = list(read_lines(path, fitting(reading, path), notes=notes))
        for tokenizer, name in ((self.between, "bleu"), (self.within, "self_bleu")):
            check_listed(path, notes, tokenizer, _flag(self.settings, f"{name}_tokenizer"))
        if reading.padding is None:
            return records
        bare = [_without_padding(record, self.between, reading.padding) for record in records]
        if bare == records:
            self.tell(f"--corpus.padding {reading.padding}: no sequence of {path} ends in it")
        return bare

    def scores(self, samples: list[Record], name: str) -> list[Score]:
        """BLEU in both directions, self-BLEU, variety, copies, lengths, and what is asked for.

        Args:
            samples: two or more.
            name: where the samples come from, for messages.

        Raises:
            DataError: a sample cannot be cut, or hardly a token of them is in the references.
        """
        settings = self.settings
        self._check_cuttable(samples, name)
        forward = _tokens(samples, self.between, name)
        if not settings.any_tokens:
            _check_cut_alike(forward, self.tokens, self.between, (name, self.name))
        unknown = self.unknown
        if settings.unk is not None and not self._holds(settings.unk, samples, forward):
            self.tell(f"--unk {settings.unk}: neither {name} nor {self.name} holds this word")
        between, within = Wording(self.between.name, unknown), Wording(self.within.name, unknown)
        training = None
        if self.training is not None:
            training = _tokens(self.training, self.within, settings.training or "")
        n = min(len(samples), len(self.records))  # distances are between equal numbers
        texts, real = self._some(samples, n), self._some(self.records, n)
        return [
            *self.measures.scores(texts, real, self.name),
            *self._of_molecules(texts, real),
            *self.scorer.overlap(forward, self.tokens, between, self.name),
            *self.scorer.surface(_tokens(samples, self.within, name), within, training),
        ]

    def _of_molecules(self, texts: list[str], real: list[str]) -> list[Score]:
        """Scores of molecules, if the files are cut as such and rdkit is installed."""
        if self.within.name not in MOLECULES or not has_rdkit():
            return []
        training = None if self.training is None else [each.text for each in self.training]
        return MoleculeTexts(training, real, self.scorer, self.name).scores(texts)

    def real(self, count: int) -> list[Score]:
        """Scores of real sequences, to read beside those of `count` samples."""
        n = min(count, len(self.records))
        real = self._some(self.records, n)
        scores = self.measures.judged(real)
        if self.training is None or len(self.training) < n:
            return scores
        training = self._some(self.training, n)
        name = f"{self.name}, training sequences"
        return [*self.measures.distances(training, real, name), *scores]

    def _holds(self, word: str, samples: list[Record], tokens: list[list[str]]) -> bool:
        """If samples or references hold the word that stands for unknown ones."""
        if SpecialWords().read([word]) == [self.unknown]:  # <unk>, however it is spelled
            return any(self.unknown in row for row in [*tokens, *self.tokens])
        return any(word in record.text for record in [*samples, *self.records])

    def _check_cuttable(self, records: list[Record], name: str) -> None:
        """Refuses texts without blanks for a tokenizer that cuts at blanks.

        Raises:
            DataError: most of the texts are such; scores of them would say nothing.
        """
        flags = {
            f"{_flag(self.settings, name)} characters": None
            for name, tokenizer in (
                ("bleu_tokenizer", self.between), ("self_bleu_tokenizer", self.within),
            )
            if tokenizer.name in CUTTING_AT_BLANKS
        }  # fmt: skip
        share = uncut_share(record.text for record in records)
        if flags and share > MOST_UNCUT and not self.settings.any_tokens:
            raise DataError(
                f"{name}: {share:.0%} of its lines cannot be cut at blanks, so n-grams of words "
                f"say nothing of them: give {' '.join(flags)}; --any_tokens true scores them all "
                "the same"
            )

    def _some(self, records: list[Record], count: int) -> list[str]:
        """Texts drawn at random without replacement: neighbours in a file are often alike."""
        rng = np.random.default_rng(derive_seed(self.scorer.seed, "lines"))
        return [records[row].text for row in rng.permutation(len(records))[:count].tolist()]


def _tokens(records: list[Record], tokenizer: Tokenizer, name: str) -> list[list[str]]:
    """The tokens of each text; an error names the line."""
    return [cut_text(name, record.text, record.line_number, tokenizer) for record in records]


def _flag(settings: EvaluateConfig, name: str) -> str:
    """The flag that says how a metric cuts texts: its own, if it was given, else the common one."""
    return "--corpus.tokenizer" if getattr(settings, name) is None else f"--{name}"


def _tokenizer(settings: EvaluateConfig, name: str) -> Tokenizer:
    chosen = getattr(settings, name) or settings.corpus.tokenizer or "words"
    return make_tokenizer(chosen, _flag(settings, name), settings.unk)


def _without_padding(record: Record, tokenizer: Tokenizer, padding: str) -> Record:
    """The record without the padding at its end, as it was otherwise."""
    tokens = tokenizer.tokenize(record.text)
    kept = without_padding(tokens, padding)
    if len(kept) == len(tokens):
        return record
    return record._replace(text=tokenizer.detokenize(kept))


def _filled(records: list[Record], path: str) -> list[Record]:
    """The records that are not blank; two or more."""
    return _enough([record for record in records if record.text.strip()], path)


def _samples(records: list[Record], settings: EvaluateConfig) -> list[Record]:
    """The samples of a file; a blank one is an empty sample, but not at the end.

    If fewer are asked for, they are taken at random: neighbouring lines of a file are often alike.
    """
    path, count = str(settings.samples), settings.num_samples
    found = list(records)
    while found and not found[-1].text.strip():
        found.pop()
    _enough(found, path)
    if count is None:
        return found
    if len(found) < count:
        raise DataError(
            f"--samples: {path} has {len(found):,} sequences, --num_samples asks for {count:,}"
        )
    rng = rng_for(settings.seed or 0, "samples of a file")
    rows = torch.randperm(len(found), generator=rng)[:count].sort().values
    return [found[row] for row in rows.tolist()]


def _enough(records: list[Record], path: str) -> list[Record]:
    if len(records) < 2:
        count = "1 sequence" if records else "no sequence"
        raise DataError(f"{path}: {count}; two or more are needed")
    return records


def _check_cut_alike(
    samples: list[list[str]],
    references: list[list[str]],
    tokenizer: Tokenizer,
    names: tuple[str, str],
) -> None:
    """Refuses samples that were cut by another tokenizer than the references.

    Raises:
        DataError: hardly a token of the samples occurs in the references.
    """
    counts = Counter(token for row in references for token in set(row))
    shared = _share(samples, lambda token: counts[token] > 0)
    among = _share(references, lambda token: counts[token] > 1)
    if shared < LEAST_SHARED * among:
        raise DataError(
            f"{names[0]}: cut by {tokenizer.name!r}, {shared:.0%} of its tokens occur in "
            f"{names[1]}, whose own tokens occur in another line of it in {among:.0%}: were they "
            "made with another tokenizer (--corpus.tokenizer)? --any_tokens true scores them all "
            "the same"
        )


def _share(rows: list[list[str]], holds: Callable[[str], bool]) -> float:
    """The share of all tokens for which something holds; 1 where there is no token."""
    found = [holds(token) for row in rows for token in row]
    return sum(found) / len(found) if found else 1.0
