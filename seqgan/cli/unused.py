"""Settings that were given and have no effect, because others switch off what they are for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ..config import (
    DataConfig,
    EvaluateConfig,
    FileCorpus,
    FinetuneConfig,
    OracleCorpus,
    PolicyGradient,
    Ratio,
    RunConfig,
    SampleConfig,
)
from ..config.algorithms.checks import TOKEN_LOSSES
from ..config.describe import settings_of
from ..config.rewards import FunctionTerm, MoleculeTerm

__all__ = ["unused_settings"]

READING = ("field", "column", "column_number", "header", "format", "strip", "padding")
"""Settings of the corpus that say how a file is read."""


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
        yield from _corpus(settings.source, settings)
    if isinstance(settings, RunConfig):
        yield from _corpus(settings.data, settings)
        yield from _training(settings)
    if isinstance(settings, FinetuneConfig):
        if not _has(settings, "ratio"):
            names = [each.name for each in settings_of(settings.pretrain, "pretrain.")]
            yield "in fine-tuning, where MLE is done", names
    if isinstance(settings, SampleConfig):
        if not settings.beams:
            yield "without --beams", ["length_penalty"]
        if settings.best_of == 1:
            yield "without --best_of", ["best_by"]
        if settings.rescore == 1:
            yield "without --rescore", ["rescore_beta"]
        shown = settings.jsonl or (settings.output or "").endswith(".jsonl")
        if not shown and settings.best_by != "reward":
            yield "without --jsonl or --best_by reward", ["rewards"]
    if isinstance(settings, EvaluateConfig):
        if settings.judge == "none":
            yield "without --judge", ["judge_samples"]
        if settings.references is None:
            yield "without --references", ["any_tokens"]


def _corpus(source: str, settings: DataConfig | RunConfig) -> Iterator[tuple[str, list[str]]]:
    corpus = settings.corpus
    if isinstance(corpus, OracleCorpus) and corpus.parameters is not None:
        yield "with --corpus.parameters, which say it", _in("corpus", "vocabulary", "hidden")
    if isinstance(corpus, FileCorpus):
        if source == "wordnet":
            yield "with WordNet, which is no file of yours", _in("corpus", *READING)
        for split in ("validation", "test"):
            if getattr(settings, f"{split}_data") is not None:
                yield f"with --{split}_data", _in("corpus", f"{split}_share")


def _training(settings: RunConfig) -> Iterator[tuple[str, list[str]]]:
    if not _has(settings, "ratio"):
        names = [each.name for each in settings_of(settings.ensemble, "ensemble.")]
        yield "without a ratio in --rewards", names
    elif settings.ensemble.runs:
        yield "with --ensemble.runs", ["ensemble.size"]
    if settings.ensemble.combination != "quantile":
        yield "without --ensemble.combination quantile", ["ensemble.quantile"]
    others = [term.needs_discriminator or term.needs_mediator for term in settings.every_term()]
    if not any(others):
        yield "without a discriminator in --rewards", [
            "adversarial.critic_steps", "critic.rounds_learning_rate",
        ]  # fmt: skip
    yield from _own_rewards(settings)
    if isinstance(settings.algorithm, PolicyGradient):
        yield from _policy_gradient(settings.algorithm)
    if settings.algorithm.shows_mixtures:
        yield "with --algorithm.estimator soft", _in("critic", "fresh_every", "memory")
    if not settings.critic.augment:
        yield "without --critic.augment", _in("critic", "augment_share", "augment_generated")
    for group in ("pretrain", "critic", "adversarial"):
        if not getattr(settings, group).early_stopping:
            yield f"without --{group}.early_stopping", _in(group, "patience")
    if not settings.ensemble.refresh:
        yield "without --ensemble.refresh", ["ensemble.refresh_learning_rate"]
    if isinstance(settings.algorithm, Ratio) and not settings.ratio_alone:
        if settings.algorithm.estimator != "reinforce":
            yield "with other rewards than the ratio alone", ["algorithm.estimator"]
    if settings.evaluation.judge == "none":
        yield "without --evaluation.judge", _in("evaluation", "judge_samples")
    if settings.output_dir is None:
        yield "without --output_dir: the folder is a new one", ["overwrite"]


def _has(settings: RunConfig, reward: str) -> bool:
    """Tells if a term of the reward has this name."""
    return any(term.name == reward for term in settings.every_term())


def _own_rewards(settings: RunConfig) -> Iterator[tuple[str, list[str]]]:
    terms = settings.every_term()
    if not any(isinstance(term, FunctionTerm) for term in terms):
        names = _in("reward", "workers", "timeout", "batch", "cache")
        yield "without a function of your own in --rewards", names
        if not any(isinstance(term, MoleculeTerm) for term in terms):
            reason = "without a function of your own or a term of molecules in --rewards"
            yield reason, ["on_reward_error"]
    if not any(term.objective for term in terms):
        yield "with rewards that compare with data, or are noise", ["reward.calls"]
    if not settings.for_objective:
        yield "where the verdict is not by the reward", ["reward.verdict_calls"]


def _policy_gradient(settings: PolicyGradient) -> Iterator[tuple[str, list[str]]]:
    if settings.loss not in ("clipped", "sequence", "whole_sequence"):
        names = ["clip", "clip_high"]
        if settings.loss == "reinforce" and not settings.importance_cap:
            names.insert(0, "updates")
        yield "without --algorithm.loss clipped", _in("algorithm", *names)
    if settings.loss != "reinforce":
        names = ["importance_cap"]
        if settings.loss not in TOKEN_LOSSES:
            names.insert(0, "aggregation")
        if settings.loss == "augmented":
            names += ["baseline", "transform", "discount"]
        yield f"with --algorithm.loss {settings.loss}", _in("algorithm", *names)
    if settings.loss != "augmented":
        yield "without --algorithm.loss augmented", ["algorithm.sigma"]
    if not settings.kl_weight and settings.kl_target is None:
        yield "without --algorithm.kl_weight", ["algorithm.kl_estimator"]
    if settings.baseline != "value":
        names = [each.name for each in settings_of(settings.value, "algorithm.value.")]
        yield "without --algorithm.baseline value", names
    if settings.replay.size == 0:
        yield "without --algorithm.replay.size", _in("algorithm.replay", "batch", "weight")
    if settings.diversity.filter == "none":
        names = _in("algorithm.diversity", "bucket", "minimum")
        yield "without --algorithm.diversity.filter", names
    if settings.real_prefix == 0:
        yield "without --algorithm.real_prefix", ["algorithm.real_prefix_steps"]
    if settings.rollouts == 0:
        names = ["positions", "stratified", "rollout_update_rate"]
        yield "without rollouts", _in("algorithm", *names)


def _in(group: str, *names: str) -> list[str]:
    return [f"{group}.{name}" for name in names]
