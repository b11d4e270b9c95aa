"""Settings of the rewards: a list of weighted terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError
from ..settings import settings_from
from .base import SHAPES, RewardTerm
from .controls import ConstantTerm, RandomTerm
from .discriminator import FORMS, DiscriminatorTerm
from .function import FunctionTerm
from .likelihood import LikelihoodTerm
from .mediator import MediatorTerm
from .molecules import (
    LogPTerm,
    MoleculeTerm,
    QedTerm,
    SimilarityTerm,
    SubstructureTerm,
    SyntheticAccessibilityTerm,
    ValidityTerm,
)
from .music import InKeyTerm
from .ratio import RatioTerm
from .scoring import RewardConfig
from .texts import BleuTerm, LengthTerm, NoveltyTerm, RegexTerm, RepetitionTerm

__all__ = [
    "FORMS", "SHAPES", "TERMS", "BleuTerm", "ConstantTerm", "DiscriminatorTerm", "FunctionTerm",
    "InKeyTerm", "LengthTerm", "LikelihoodTerm", "LogPTerm", "MediatorTerm", "MoleculeTerm",
    "NoveltyTerm", "QedTerm", "RandomTerm", "RatioTerm", "RegexTerm", "RepetitionTerm",
    "RewardConfig", "RewardTerm", "SimilarityTerm", "SubstructureTerm",
    "SyntheticAccessibilityTerm", "ValidityTerm", "reward_terms",
]  # fmt: skip

TERMS: dict[str, type[RewardTerm]] = {
    "discriminator": DiscriminatorTerm,
    "ratio": RatioTerm,
    "mediator": MediatorTerm,
    "length": LengthTerm,
    "repetition": RepetitionTerm,
    "bleu": BleuTerm,
    "regex": RegexTerm,
    "novelty": NoveltyTerm,
    "in_key": InKeyTerm,
    "likelihood": LikelihoodTerm,
    "validity": ValidityTerm,
    "qed": QedTerm,
    "logp": LogPTerm,
    "sa": SyntheticAccessibilityTerm,
    "similarity": SimilarityTerm,
    "substructure": SubstructureTerm,
    "constant": ConstantTerm,
    "random": RandomTerm,
}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def reward_terms(given: Any) -> list[RewardTerm]:
    """The terms of a reward.

    Args:
        given: a list of terms, each an instance, a mapping, or its short form as text:
            ``name`` or ``name:weight``.

    Raises:
        ConfigError: no term, or one that cannot be read.
    """
    if isinstance(given, (str, Mapping, RewardTerm)):
        given = [given]
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigError(f"--rewards: {given!r:.80} is not a list of terms")
    return [_term(each) for each in given]


def _term(given: Any) -> RewardTerm:
    if isinstance(given, RewardTerm):
        return given
    if isinstance(given, Mapping):
        return settings_from(RewardTerm, given)
    if not isinstance(given, str):
        raise ConfigError(f"--rewards: {given!r:.80} is not a term: give NAME or NAME:WEIGHT")
    name, colon, weight = given.rpartition(":")
    if colon and NUMBER.fullmatch(weight):
        return settings_from(RewardTerm, {"name": name, "weight": float(weight)})
    if colon and name in TERMS:
        raise ConfigError(f"--rewards: {given!r}: {weight!r} is not a weight")
    return settings_from(RewardTerm, {"name": given})
