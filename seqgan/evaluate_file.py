"""Scores of samples that stand in a file, whatever made them."""

from __future__ import annotations

from .config import EvaluateConfig
from .data.readers import read_lines
from .data.tokenizers import make_tokenizer
from .errors import DataError
from .metrics import Score, bleu
from .scoring import Scorer

__all__ = ["file_scores"]


def file_scores(settings: EvaluateConfig) -> list[Score]:
    """BLEU against the references, self-BLEU, distinct-n, uniqueness, copies, lengths.

    Raises:
        DataError: a file cannot be read or holds too few sequences.
        ConfigError: an unknown tokenizer.
    """
    assert settings.samples is not None and settings.references is not None
    judge = make_tokenizer(settings.bleu_tokenizer)
    own = make_tokenizer(settings.self_bleu_tokenizer)
    samples = _texts(settings.samples)
    if settings.num_samples is not None:
        if len(samples) < settings.num_samples:
            raise DataError(
                f"--samples: {settings.samples} has {len(samples)} sequences, "
                f"--num_samples asks for {settings.num_samples}"
            )
        samples = samples[: settings.num_samples]
    references = [judge.tokenize(line) for line in _texts(settings.references)]
    training = None
    if settings.training is not None:
        training = [own.tokenize(line) for line in _texts(settings.training)]
    scorer = Scorer(settings.resamples, 0.95, settings.seed or 0)
    forward = bleu([judge.tokenize(line) for line in samples], references, 5, per_sentence=True)
    return [
        *scorer.bleu(forward, judge.name, settings.references),
        *scorer.surface([own.tokenize(line) for line in samples], own.name, training),
    ]


def _texts(path: str) -> list[str]:
    """The lines of a file that are not blank; two or more."""
    lines = [record.text for record in read_lines(path) if record.text.strip()]
    if len(lines) < 2:
        raise DataError(f"{path}: {len(lines)} sequences; two or more are needed")
    return lines
