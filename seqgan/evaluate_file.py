"""Scores of samples against a file of references, whatever made them."""

from __future__ import annotations

from collections.abc import Iterator

from .config import EvaluateConfig
from .data.readers import Record, read_lines
from .data.tokenizers import Tokenizer, make_tokenizer
from .errors import DataError
from .metrics import Score, bleu
from .scoring import Scorer

__all__ = ["file_scores", "text_scores"]


def file_scores(settings: EvaluateConfig) -> list[Score]:
    """Scores of the samples that `settings` name; see `text_scores`.

    Raises:
        DataError: a file cannot be read or holds too few sequences.
        ConfigError: an unknown tokenizer.
    """
    assert settings.samples is not None
    samples = _records(settings.samples)
    if settings.num_samples is not None:
        if len(samples) < settings.num_samples:
            raise DataError(
                f"--samples: {settings.samples} has {len(samples):,} sequences, "
                f"--num_samples asks for {settings.num_samples:,}"
            )
        samples = samples[: settings.num_samples]
    return text_scores(samples, settings, settings.samples)


def text_scores(samples: list[Record], settings: EvaluateConfig, name: str) -> list[Score]:
    """BLEU against the references, self-BLEU, distinct-n, uniqueness, copies, lengths.

    Args:
        samples: two or more.
        settings: references, training file, tokenizers, resamples, seed.
        name: where the samples come from, for messages.

    Raises:
        DataError, ConfigError: as `file_scores`.
    """
    assert settings.references is not None
    judge = make_tokenizer(settings.bleu_tokenizer or "words", "--bleu_tokenizer")
    own = make_tokenizer(settings.self_bleu_tokenizer or "words", "--self_bleu_tokenizer")
    references = list(_tokens(_records(settings.references), judge, settings.references))
    training = None
    if settings.training is not None:
        training = list(_tokens(_records(settings.training), own, settings.training))
    scorer = Scorer(settings.resamples or 1_000, 0.95, settings.seed or 0)
    hypotheses = list(_tokens(samples, judge, name))
    forward = bleu(hypotheses, references, 5, per_sentence=True)
    return [
        *scorer.bleu(forward, judge.name, settings.references),
        *scorer.surface(list(_tokens(samples, own, name)), own.name, training),
    ]


def _tokens(records: list[Record], tokenizer: Tokenizer, name: str) -> Iterator[list[str]]:
    """The tokens of each text; an error names the line."""
    for record in records:
        try:
            yield tokenizer.tokenize(record.text)
        except DataError as error:
            raise DataError(f"{name}, line {record.line_number}: {error}") from error


def _records(path: str) -> list[Record]:
    """The lines of a file that are not blank; two or more."""
    found = [record for record in read_lines(path) if record.text.strip()]
    if len(found) < 2:
        count = "1 sequence" if found else "no sequence"
        raise DataError(f"{path}: {count}; two or more are needed")
    return found
