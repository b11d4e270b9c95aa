"""Callbacks of a run in Python: three functions that are told of it, and change nothing.

The main process calls them with copies of what the log gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

__all__ = ["CallbackArguments", "Callbacks", "Sample", "headings", "markdown_table"]


@dataclass(frozen=True)
class Sample:
    """A sample with its reward.

    Attributes:
        text: one line.
        reward: as the policy gradient gets it; None: there is none.
        terms: the value of each term, not weighted; None where it abstains.
    """

    text: str
    reward: float | None
    terms: dict[str, float | None]

    def numbers(self) -> list[str]:
        """Reward and terms for a table; "-" where a term abstains."""
        found = [self.reward, *self.terms.values()]
        return ["-" if value is None else f"{value:.3f}" for value in found]


def headings(samples: list[Sample]) -> list[str]:
    """The columns of `Sample.numbers`."""
    return ["reward", *samples[0].terms]


class CallbackArguments(TypedDict, total=False):
    """The same as keyword arguments."""

    on_step: Callable[[int, dict[str, float]], None]
    on_round: Callable[[int, dict[str, float]], None]
    on_sample: Callable[[int, list[Sample]], None]


def markdown_table(samples: list[Sample]) -> str:
    """Samples with their rewards as a table in Markdown, for TensorBoard's text."""
    names = [*headings(samples), "sample"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for each in samples:
        text = each.text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {' | '.join([*each.numbers(), text])} |")
    return "\n".join(lines)


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Callbacks:
    """Functions that the rounds call.

    Attributes:
        on_step: ``(step, figures)`` after each generator step; `figures` as in the log.
        on_round: ``(round, figures)`` after each round; `figures` of validation, or empty if none
            was due.
        on_sample: ``(step, samples)`` whenever samples are shown; a list of `Sample`.
    """

    on_step: Callable[[int, dict[str, float]], None] = _nothing
    on_round: Callable[[int, dict[str, float]], None] = _nothing
    on_sample: Callable[[int, list[Sample]], None] = _nothing
