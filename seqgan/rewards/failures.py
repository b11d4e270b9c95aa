"""Sequences that a term has no reward for: an error, or skipped and said now and then."""

from __future__ import annotations

from rollout import RewardError

from .ingredients import Ingredients

__all__ = ["Failures"]


class Failures:
    """The failures of one term.

    Args:
        given: if failures may be skipped, and who is told of them.
        worth: what becomes of a skipped sequence, for messages.
    """

    def __init__(self, given: Ingredients, worth: str):
        self.skip, self.say, self.worth, self.count = given.skip, given.say, worth, 0

    def __call__(self, reason: str, cause: Exception | None = None) -> None:
        """Counts a failure, and says the first, second, fourth, eighth and so on.

        Raises:
            RewardError: none may be skipped.
        """
        if not self.skip:
            raise RewardError(reason) from cause
        self.count += 1
        if self.count & (self.count - 1) == 0:
            self.say(f"warning: {reason}; {self.worth}, {self.count} so far")
