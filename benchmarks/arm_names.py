"""The arms that a command names: by themselves, or a set of them by its name."""

from __future__ import annotations

from collections.abc import Collection

from seqgan.errors import ConfigError, did_you_mean

from .suite import Arm, Suite, common

__all__ = ["arm_set", "arms_of", "chosen_arms", "named_arms"]


def chosen_arms(arms: list[Arm], names: Collection[str] | None) -> list[Arm]:
    """The arms of these names; by default all but the extra ones."""
    if names is None:
        return [arm for arm in arms if arm.method is None or not arm.method.extra]
    return [arm for arm in arms if arm.name in names]


def named_arms(text: str, suites: list[Suite]) -> frozenset[str]:
    """The names of arms between commas, sets of the common file put in full.

    Raises:
        ConfigError: no suite has an arm of that name.
    """
    return arms_of(text, {arm.name for suite in suites for arm in suite.arms("standard", 0)})


def arms_of(text: str, known: Collection[str]) -> frozenset[str]:
    """As `named_arms`, of these arms."""
    sets: dict[str, list[str]] = common().get("sets", {})
    found: set[str] = set()
    for name in (word.strip() for word in text.split(",")):
        if name in sets:
            found |= set(sets[name])
        elif name in known:
            found.add(name)
        else:
            near = did_you_mean(name, [*known, *sets])
            raise ConfigError(f"--arms: no arm or set {name!r}{near}; sets are {', '.join(sets)}")
    return frozenset(found)


def arm_set(name: str) -> list[str]:
    """The arms of a set of the common file."""
    return list(common()["sets"][name])
