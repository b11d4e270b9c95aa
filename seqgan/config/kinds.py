"""Whether values that came out of a file are of the kind that a type hint asks for."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

__all__ = ["kind_name", "of_kind"]


def of_kind(value: Any, hint: Any) -> bool:
    """Whether a plain value fits a hint: str, int, float, bool, None, lists and unions of them.

    A whole number is a number too, and a list serves as a tuple; true is no number.
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(of_kind(value, each) for each in get_args(hint))
    if origin in (list, tuple):
        inner = get_args(hint)[0]
        return isinstance(value, (list, tuple)) and all(of_kind(each, inner) for each in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def kind_name(hint: Any) -> str:
    """A hint as people read it."""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
