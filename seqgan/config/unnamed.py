"""The method of a run that names none: what its settings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .algorithms.ratio import Ratio
from .methods import DEFAULT_METHOD, DISCRIMINATOR_METHOD, OBJECTIVE_METHOD
from .rewards import RewardTerm
from .settings import hints

__all__ = ["named", "unnamed_method"]

DISCRIMINATORS_OWN = ("discriminator", "critic")


def unnamed_method(given: Mapping[str, Any], terms: Iterable[RewardTerm]) -> str:
    """The method that settings ask for.

    Args:
        given: the settings that are given, by their names, as in ``critic.steps``.
        terms: of the reward and of its stages, if any are given.
    """
    rewards = list(terms)
    if rewards and all(term.objective for term in rewards):
        return OBJECTIVE_METHOD
    if any(term.name != "ratio" for term in rewards) or not all(map(_fits, given.items())):
        return DISCRIMINATOR_METHOD
    return DEFAULT_METHOD


def _fits(setting: tuple[str, Any]) -> bool:
    """Tells if a run of the ratio has a setting."""
    name, value = setting
    group, _, rest = name.partition(".")
    if group in DISCRIMINATORS_OWN:
        return False
    if name == "constraint":
        return value == "none"
    if name in ("algorithm", "algorithm.name"):
        return value == "ratio" or isinstance(value, Ratio)
    return group != "algorithm" or rest.partition(".")[0] in hints(Ratio)


def named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in groups as a mapping from names to values, for the groups of one depth."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = value if isinstance(value, Mapping) else None
        found |= {name: value} if inner is None else {f"{name}.{k}": v for k, v in inner.items()}
    return found
