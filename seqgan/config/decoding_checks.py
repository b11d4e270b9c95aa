"""Checks of the settings of sampling against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .checks import require

if TYPE_CHECKING:
    from .decoding import Decoding

__all__ = ["check_search"]


def check_search(settings: Decoding) -> None:
    """Refuses settings of drawing where nothing is drawn."""
    drawing = ["temperature", "top_k", "top_p", "min_p", "best_of", "rescore"]
    for name, why in (
        ("beams", "beam search draws nothing"),
        ("greedy", "the most likely token is taken"),
    ):
        if not getattr(settings, name):
            continue
        idle = [*drawing, "unique"] if name == "greedy" else drawing
        given = [each for each in idle if getattr(settings, each) != getattr(type(settings), each)]
        require(not given, f"--{name}: {why}; leave out --{' and --'.join(given)}")
        drawing.append("greedy")
    number, beams = settings.number, settings.beams
    if beams and number is not None:
        require(
            number <= beams, f"--number: {beams} --beams find {beams} sequences, not {number:,}"
        )
