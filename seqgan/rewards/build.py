"""The reward of a run, out of its settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rollout import Reward

from ..config import RewardConfig, RewardTerm
from ..config.components import build
from ..config.rewards import BleuTerm, FunctionTerm, MoleculeTerm
from .functions import imported
from .ingredients import Ingredients
from .molecules import judge_of
from .terms import Term, Terms
from .texts import read_lines

__all__ = ["build_reward", "check_rewards", "made_of"]


def build_reward(terms: Sequence[RewardTerm], given: Ingredients) -> Reward:
    """The reward that settings describe.

    Args:
        terms: the terms. A single one that compares with data, or is noise, and is neither weighted
            nor shaped, is the reward itself.
        given: what they are made from.

    Raises:
        ConfigError: a function cannot be imported, or a file or a run is not there.
    """
    found = made_of(terms, given)
    (first, *others), reward = terms, found.terms[0].reward
    plain = not others and first.plain and not first.objective
    if plain and given.config.mean == "sum":
        return reward
    return found


def made_of(terms: Sequence[RewardTerm], given: Ingredients) -> Terms:
    """The same as weighted terms, also where it is a single one; errors as in `build_reward`."""
    made = [
        Term(
            name,
            each.weight,
            build(each, given),
            each.shape,
            each.low,
            each.high,
            each.absent,
            each.moves,
        )  # fmt: skip
        for name, each in zip(_names(terms), terms, strict=True)
    ]
    return Terms(made, given.config.mean)


def check_rewards(
    terms: Sequence[RewardTerm], config: RewardConfig, columns: Collection[str] | None = None
) -> None:
    """Imports the user's functions and looks for files and packages, before a run begins.

    Args:
        terms: of all stages.
        config: how functions are called.
        columns: of the data, that functions may name; None: it is not known which.

    Raises:
        ConfigError, MissingExtraError: one cannot be had.
    """
    for term in terms:
        if isinstance(term, FunctionTerm):
            imported(term.name, config, columns)
        if isinstance(term, BleuTerm) and term.references is not None:
            read_lines(term.references)
        if isinstance(term, MoleculeTerm):
            judge_of(term)


def _names(terms: Sequence[RewardTerm]) -> list[str]:
    """Short names for the log, each once: the last part of a dotted path."""
    found: list[str] = []
    for term in terms:
        name = short = term.name.replace(":", ".").rpartition(".")[2]
        number = 1
        while name in found:
            number += 1
            name = f"{short}_{number}"
        found.append(name)
    return found
