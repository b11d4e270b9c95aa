"""Settings that were given and have no effect, because others switch off what they are for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ..config import (
    SOURCES,
    AdversarialConfig,
    CorpusConfig,
    DataConfig,
    EvaluateConfig,
    FinetuneConfig,
    RunConfig,
)

__all__ = ["DRAWN", "FROM_FILES", "FROM_TEXT", "ORACLE", "unused_settings"]

DRAWN = ("num_validation", "num_heldout", "num_test")
"""Settings of the corpus that only sources without a text have: grammar and oracle."""
ORACLE = ("oracle_parameters", "oracle_vocabulary", "oracle_length", "oracle_hidden")
FROM_FILES = ("field", "column", "column_number", "header", "format", "strip", "padding")
FROM_TEXT = (
    "tokenizer", "max_vocabulary", "min_count", "too_long", "empty", "split", "validation_share",
    "heldout_share", "test_share",
)  # fmt: skip
"""Settings of the corpus that only lines of text have."""


def unused_settings(settings: Any, given: Collection[str]) -> list[str]:
    """Lines about settings that were given and have no effect, one per reason.

    Args:
        settings: of a command.
        given: names of the settings that were given, such as ``corpus.column``.
    """
    lines = []
    for reason, names in _rules(settings):
        found = [f"--{name}" for name in names if name in given]
        if found:
            lines.append(f"{', '.join(found)}: no effect {reason}")
    return lines


def _rules(settings: Any) -> Iterator[tuple[str, list[str]]]:
    """Reasons that hold for these settings, each with what it leaves without an effect."""
    if isinstance(settings, DataConfig):
        yield from _corpus(settings.source, settings.corpus, settings)
    if isinstance(settings, RunConfig):
        yield from _corpus(settings.data, settings.corpus, settings)
        yield from _training(settings)
    if isinstance(settings, FinetuneConfig):
        names = [name for name in vars(settings.pretrain)]
        yield "in fine-tuning, where MLE is done", _in("pretrain", *names)
    if isinstance(settings, EvaluateConfig):
        if settings.judge == "none":
            yield "without --judge", ["judge_samples"]
        if settings.references is None:
            yield "without --references", ["any_tokens"]
        if settings.bleu_tokenizer is not None and settings.self_bleu_tokenizer is not None:
            yield "with --bleu_tokenizer and --self_bleu_tokenizer", ["corpus.tokenizer"]


def _corpus(
    source: str, corpus: CorpusConfig, settings: DataConfig | RunConfig
) -> Iterator[tuple[str, list[str]]]:
    drawn = source in ("grammar", "oracle")
    if drawn:
        yield f"with the source {source}", _in("corpus", *FROM_TEXT)
    else:
        yield "with sequences from text", _in("corpus", *DRAWN)
    if source in SOURCES:
        yield f"with the source {source}, which is no file", _in("corpus", *FROM_FILES)
    if source != "oracle":
        yield "without the source oracle", _in("corpus", *ORACLE)
    else:
        yield "with the oracle, which has --corpus.oracle_length", _in("corpus", "max_length")
        if corpus.oracle_parameters is not None:
            yield (
                "with --corpus.oracle_parameters, which say it",
                _in("corpus", "oracle_vocabulary", "oracle_hidden"),
            )
    for split in ("validation", "test"):
        if not drawn and getattr(settings, f"{split}_data") is not None:
            yield f"with --{split}_data", _in("corpus", f"{split}_share")


def _training(settings: RunConfig) -> Iterator[tuple[str, list[str]]]:
    architecture = settings.discriminator.architecture
    other = {"bilstm": "filter_share", "cnn": "hidden"}.get(architecture)
    if other is not None:
        yield f"with the architecture {architecture}", _in("discriminator", other)
    yield from _adversarial(settings.adversarial)
    for group in ("pretrain", "discriminate", "adversarial"):
        if not getattr(settings, group).early_stopping:
            yield f"without --{group}.early_stopping", _in(group, "patience")
    if settings.evaluation.judge == "none":
        yield "without --evaluation.judge", _in("evaluation", "judge_samples")
    if settings.output_dir is None:
        yield "without --output_dir: the folder is a new one", ["overwrite"]


def _adversarial(settings: AdversarialConfig) -> Iterator[tuple[str, list[str]]]:
    if settings.reward != "discriminator":
        names = ["reward_form", "scoring_precision", "discriminator_steps"]
        names.append("discriminator_learning_rate")
        yield f"with --adversarial.reward {settings.reward}", _in("adversarial", *names)
    if settings.loss != "clipped":
        yield "without --adversarial.loss clipped", _in("adversarial", "updates", "clip")
    if settings.rollouts == 0:
        names = ["positions", "stratified", "rollout_update_rate"]
        yield "without rollouts", _in("adversarial", *names)


def _in(group: str, *names: str) -> list[str]:
    return [f"{group}.{name}" for name in names]
