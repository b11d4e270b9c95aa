"""Checks of the settings of sampling against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .checks import require

if TYPE_CHECKING:
    from .decoding import Decoding

__all__ = ["check_search"]

DRAWING = ("temperature", "top_k", "top_p", "min_p", "best_of", "rescore")
IDLE = {
    "beams": ("beam search draws nothing", (*DRAWING, "greedy")),
    "greedy": ("the most likely token is taken", (*DRAWING, "unique")),
}
"""Settings that leave nothing to draw: why, and what has no effect then."""


def check_search(settings: Decoding) -> None:
    """Refuses settings of drawing where nothing is drawn."""
    for name, (why, idle) in IDLE.items():
        if getattr(settings, name):
            given = [x for x in idle if getattr(settings, x) != getattr(type(settings), x)]
            require(not given, f"--{name}: {why}; leave out --{' and --'.join(given)}")
    number, beams = settings.number, settings.beams
    if beams and number is not None:
        require(
            number <= beams, f"--number: {beams} --beams find {beams} sequences, not {number:,}"
        )
