"""The combinations of settings that ``seqgan evaluate`` can do something with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .checks import require
from .files import EvaluateReadingConfig

if TYPE_CHECKING:
    from .evaluate import EvaluateConfig

__all__ = ["check_combination"]


def check_combination(settings: EvaluateConfig) -> None:
    """Refuses settings that do not go together.

    Raises:
        ConfigError: they do not; the message says what goes with what.
    """
    of_run = settings.run is not None and settings.references is None
    require(
        (settings.run is None) != (settings.samples is None),
        "expected either --run DIR, or --samples FILE and --references FILE",
    )
    require(
        settings.samples is None or settings.references is not None,
        "--samples expects --references FILE too: real sequences to compare with",
    )
    for name in _about_files(settings):
        require(
            not of_run,
            f"--{name} goes with --references; a run without them is measured on its own data",
        )
    require(settings.tokenizer is None or settings.run is not None, "--tokenizer goes with --run")
    for name in ("data", "test_data", "validation_data"):
        require(
            getattr(settings, name) is None or of_run,
            f"--{name} goes with --run alone: the file that the run was trained on",
        )
    require(
        settings.constraint is None or settings.run is not None,
        "--constraint goes with --run alone: of the models that are sampled",
    )
    require(
        settings.corpus.parameters is None or of_run,
        "--corpus.parameters goes with --run alone: the file of the run's oracle",
    )
    require(
        of_run or not settings.reverse_perplexity,
        "--reverse_perplexity goes with --run alone: lines of text have no vocabulary",
    )
    require(
        not of_run or settings.unk is None,
        "--unk goes with --references; a run without them knows its own unknown words",
    )
    require(
        not settings.mauve or settings.embedder != "none" or of_run,
        "--mauve: needs embeddings: set --embedder too",
    )


def _about_files(settings: EvaluateConfig) -> list[str]:
    """Settings that are given and say how files are read or cut."""
    names = ("training", "bleu_tokenizer", "self_bleu_tokenizer")
    found = [name for name in names if getattr(settings, name) is not None]
    usual, corpus = asdict(EvaluateReadingConfig()), asdict(settings.corpus)
    del corpus["parameters"]
    return [*found, *(f"corpus.{name}" for name in corpus if corpus[name] != usual[name])]
