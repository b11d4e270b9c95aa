"""Calls of a reward function in the convention of TRL; nothing here imports torch.

A function is called with the keyword arguments that it names out of those that there are, or with
all of them if it takes ``**kwargs``, and returns one number per sequence, or None to abstain.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["CallFailed", "Numbers", "call", "call_all", "is_async", "missing_columns"]

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
    (found,) = call_all(function, [columns], timeout)
    if isinstance(found, CallFailed):
        raise found
    return found


def call_all(
    function: Callable[..., Any], batches: Sequence[Mapping[str, list[Any]]], timeout: float
) -> list[Numbers | CallFailed]:
    """Calls a reward function for each batch; the calls of an async one are awaited together.

    Args:
        function: the user's.
        batches: of columns, as in `call`.
        timeout: seconds that a call of an async function may take; 0: no limit.

    Returns:
        For each batch its values, or the reason why there are none.
    """
    if is_async(function):
        return _finished(_together(function, batches, timeout))
    return [_called(function, columns, timeout) for columns in batches]


def missing_columns(function: Callable[..., Any], known: Collection[str]) -> list[str]:
    """Names that a function cannot do without, and that it is not called with.

    Args:
        function: the user's.
        known: the names that there are.

    Raises:
        ValueError, TypeError: Python knows no signature of it.
    """
    parameters = inspect.signature(function).parameters.values()
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    needed = [x.name for x in parameters if x.default is x.empty and x.kind not in variable]
    return [name for name in needed if name not in known]


def _called(
    function: Callable[..., Any], columns: Mapping[str, list[Any]], timeout: float
) -> Numbers | CallFailed:
    try:
        found = function(**_named(function, columns))
        if inspect.isawaitable(found):
            found = _finished(_awaited(found, timeout))
        return _numbers(found, len(columns["completions"]))
    except Exception as error:
        return _failure(error, timeout)


async def _together(
    function: Callable[..., Any], batches: Sequence[Mapping[str, list[Any]]], timeout: float
) -> list[Numbers | CallFailed]:
    async def one(columns: Mapping[str, list[Any]]) -> Numbers | CallFailed:
        try:
            found = await _awaited(function(**_named(function, columns)), timeout)
            return _numbers(found, len(columns["completions"]))
        except Exception as error:
            return _failure(error, timeout)

    return [*await asyncio.gather(*map(one, batches))]


def _failure(error: Exception, timeout: float) -> CallFailed:
    """An error of a function as the reason why there are no values."""
    if isinstance(error, CallFailed):
        return error
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)) and timeout:
        return CallFailed(f"took longer than {timeout:g} seconds")
    failed = CallFailed(f"raised {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    failed.__cause__ = error
    return failed


def _finished(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine; in a notebook, whose event loop runs, of one in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


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
