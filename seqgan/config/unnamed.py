"""The method of a run that names none: what its settings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .algorithms.ratio import Ratio
from .generators import GENERATORS
from .methods import DEFAULT_METHOD, DISCRIMINATOR_METHOD, OBJECTIVE_METHOD
from .rewards import RewardTerm
from .settings import hints

__all__ = ["unnamed_method"]

DISCRIMINATORS_OWN = ("discriminator", "critic")
"""Groups of settings that only a discriminator has."""
DISCRIMINATORS_ROUNDS = ("adversarial.critic_steps", "adversarial.mle_epochs")
"""Settings of the rounds that only a discriminator has."""


def unnamed_method(
    given: Mapping[str, Any], rewards: Iterable[RewardTerm], of_stages: Iterable[RewardTerm]
) -> str:
    """The method that settings ask for.

    Args:
        given: the settings that are given, by their names, as in ``critic.steps``.
        rewards: the terms of the reward, if any are given.
        of_stages: the terms of the stages that come before it.
    """
    first = list(rewards)
    terms = [*first, *of_stages]
    if first and all(term.objective for term in terms):
        return OBJECTIVE_METHOD
    if any(term.name != "ratio" for term in terms) or len(terms) > len(first):
        return DISCRIMINATOR_METHOD
    return DEFAULT_METHOD if all(map(_fits, given.items())) else DISCRIMINATOR_METHOD


def _fits(setting: tuple[str, Any]) -> bool:
    """Tells if a run of the ratio has a setting."""
    name, value = setting
    group, _, rest = name.partition(".")
    if value == {}:
        return True  # nothing of the group is given
    if group in DISCRIMINATORS_OWN or name in DISCRIMINATORS_ROUNDS:
        return False
    if name in ("generator", "generator.architecture"):
        kind: Any = GENERATORS.get(str(getattr(value, "architecture", value)))
        return kind is None or kind.has_members
    if name in ("pretrain", "pretrain.run", "transfer"):  # members begin with fresh weights
        return getattr(value, "run", value) in (None, "", "null", False, "false")
    if name == "constraint":
        return value == "none"
    if name in ("algorithm", "algorithm.name"):
        return value == "ratio" or isinstance(value, Ratio)
    return group != "algorithm" or rest.partition(".")[0] in hints(Ratio)
