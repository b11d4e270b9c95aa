"""Settings of the rewards: a list of weighted terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from .checks import choice, require
from .settings import Settings, settings_from

__all__ = ["FORMS", "REWARDS", "RewardTerm", "reward_terms"]

REWARDS = ("discriminator", "ratio", "constant", "random")
FORMS = (
    "log_odds", "probability", "minimax", "non_saturating", "least_squares", "relativistic",
    "relativistic_average",
)  # fmt: skip
"""Rewards of the rows of `models.gan_losses`; hinge and wasserstein have that of log_odds."""


@dataclass
class RewardTerm(Settings):
    """One term of the reward, which is the weighted sum of its terms.

    Attributes:
        name: discriminator; ratio (log p - log q per token, p the density of --ensemble and q the
            policy's); constant or random (controls that have nothing to teach).
        weight: factor of the term.
        form: of the discriminator's judgement: its logit (log_odds), the probability D that a
            sequence is real (probability: the paper's), -log(1 - D) (minimax), log D
            (non_saturating), -(logit - 1)^2 / 2 (least_squares), or how far it is above real
            sequences (relativistic, relativistic_average).
        precision: of the discriminator while it scores rollouts: fp32, or bf16 (numbers of 16 bits
            where that saves time).
    """

    group = "rewards: "

    name: str = "discriminator"
    weight: float = 1.0
    form: str = "log_odds"
    precision: str = "fp32"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self, "name", REWARDS)
        choice(self, "form", FORMS)
        choice(self, "precision", ("fp32", "bf16"))
        require(abs(self.weight) < 1e6, f"--rewards: weight: {self.weight} is not below 10^6")


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
    name, _, weight = given.partition(":")
    try:
        return RewardTerm(name, float(weight)) if weight else RewardTerm(name)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"--rewards: {given!r}: {weight!r} is not a weight") from None
