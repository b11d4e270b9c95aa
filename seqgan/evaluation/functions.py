"""Metrics of the user's own: functions that a dotted path names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..config.dotted import import_dotted
from ..errors import ConfigError, MetricError
from ..metrics import Score
from ..rewards.calls import CallFailed, call
from .scoring import Scorer

__all__ = ["FunctionScores", "imported"]


def imported(name: str, flag: str) -> Callable[..., Any]:
    """The function of a dotted path.

    Args:
        name: package.module:function.
        flag: the setting that names it, for messages.

    Raises:
        ConfigError: it cannot be imported or called.
    """
    function: Callable[..., Any] = import_dotted(name, flag)
    if not callable(function):
        raise ConfigError(f"{flag} {name}: this is {function!r:.60}, not something to call")
    return function


class FunctionScores:
    """Scores of texts by functions of the user's: the mean of their values.

    They are called as reward functions are (see `seqgan.rewards.calls`), with ``completions``
    alone. A text for which one returns None does not count for it.

    Args:
        names: dotted paths; a score has the whole path as its name, so that it hides no other.
        scorer: makes intervals and signatures.
        flag: the setting that names them, for messages.

    Raises:
        ConfigError: one cannot be imported.
    """

    def __init__(self, names: Sequence[str], scorer: Scorer, flag: str):
        self.functions = {name: imported(name, flag) for name in names}
        self.scorer = scorer

    def scores(self, texts: Sequence[str]) -> list[Score]:
        """A score for each function; none where it says nothing of any text.

        Raises:
            MetricError: a function fails.
        """
        found = []
        for name, function in self.functions.items():
            try:
                values = call(function, {"completions": list(texts)}, 0)
            except CallFailed as error:
                where = "" if error.row is None else f" for {texts[error.row]!r:.200}"
                raise MetricError(f"metric {name} {error.reason}{where}") from error
            known = np.array([value for value in values if value is not None], dtype=np.float64)
            if len(known):
                path = name.replace(":", ".")
                found.append(self.scorer.mean(path, known, "none", refs="none"))
        return found
