"""Calls of a reward function in the convention of TRL; nothing here imports torch.

A function is called with the keyword arguments that it names out of those that there are, or with
all of them if it takes ``**kwargs``, and returns one number per sequence, or None to abstain.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["CallFailed", "Numbers", "call", "is_async"]

Numbers = list[float | None]
"""One per sequence; None: the function abstains."""


class CallFailed(Exception):
    """A function raised an error, took too long, or did not return one number per sequence.

    Attributes:
        reason: what happened, as the end of a sentence that begins with its name.
        row: the sequence that has no number; None: it is not known which.
    """

    def __init__(self, reason: str, row: int | None = None):
        super().__init__(reason)
        self.reason, self.row = reason, row


def is_async(function: Callable[..., Any]) -> bool:
    """Tells if a function, or the call of an object, is a coroutine."""
    own = vars(type(function)).get("__call__")
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(own)


def call(function: Callable[..., Any], columns: Mapping[str, list[Any]], timeout: float) -> Numbers:
    """Calls a reward function.

    Args:
        function: the user's.
        columns: what there is, one entry per sequence each.
        timeout: seconds that an async function may take; 0: no limit.

    Raises:
        CallFailed: it did not return what it should.
    """
    count = len(columns["completions"])
    try:
        found = function(**_named(function, columns))
        if inspect.isawaitable(found):
            found = asyncio.run(_awaited(found, timeout))
    except (TimeoutError, asyncio.TimeoutError):
        raise CallFailed(f"took longer than {timeout:g} seconds") from None
    except Exception as error:
        what = " ".join(str(error).split())[:300]
        raise CallFailed(f"raised {type(error).__name__}: {what}") from error
    return _numbers(found, count)


def _named(function: Callable[..., Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a function names."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return dict(columns)
    return {each.name: columns[each.name] for each in parameters if each.name in columns}


async def _awaited(work: Any, timeout: float) -> Any:
    return await asyncio.wait_for(work, timeout or None)


def _numbers(found: Any, count: int) -> Numbers:
    """The values that a function returned as Python numbers, checked."""
    found = found.tolist() if hasattr(found, "tolist") else found
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise CallFailed(f"returned {_kind(found)}, not a list of numbers")
    if len(found) != count:
        raise CallFailed(f"returned {len(found)} values for {count} sequences")
    numbers: Numbers = []
    for row, value in enumerate(found):
        if value is None:
            numbers.append(None)
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise CallFailed(f"returned {value!r:.80}, no number", row) from None
        if not math.isfinite(number):
            raise CallFailed(f"returned {number}", row)
        numbers.append(number)
    return numbers


def _kind(found: Any) -> str:
    return "nothing" if found is None else f"a {type(found).__name__}"
